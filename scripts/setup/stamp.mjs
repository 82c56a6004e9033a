/**
 * The fast path: a stamp in node_modules says what set-up last found. As long as it still holds, set-up
 * starts no process and reads no more than two files.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { localNodePath, runsLocalNode } from './facts.mjs';
import { runsTypeScript } from './plan.mjs';

/** @param {string} root */
export function isSettled(root) {
  try {
    const stamp = JSON.parse(readFileSync(stampPath(root), 'utf8'));
    return (
      stamp.lock === lockHash(root) &&
      stamp.platform === process.platform &&
      stamp.arch === process.arch &&
      nodeHolds(root, stamp) &&
      redisHolds(stamp)
    );
  } catch {
    return false;
  }
}

/**
 * @param {string} root
 * @param {import('./plan.mjs').Facts} facts
 */
export function writeStamp(root, facts) {
  const stamp = {
    lock: lockHash(root),
    platform: facts.platform,
    arch: facts.arch,
    node: facts.nodeIsLocal ? null : facts.nodeVersion,
    localNode: facts.localNode,
    redis: facts.redis?.path ?? null,
  };
  mkdirSync(dirname(stampPath(root)), { recursive: true });
  writeFileSync(stampPath(root), JSON.stringify(stamp, null, 2) + '\n');
}

/**
 * The local Node, once installed, is the one scripts use; without one it is the machine's own.
 *
 * @param {string} root
 * @param {{ node: string | null, localNode: string | null }} stamp
 */
function nodeHolds(root, stamp) {
  if (stamp.localNode) return existsSync(localNodePath(root));
  return !runsLocalNode(root) && stamp.node === process.versions.node && runsTypeScript(stamp.node);
}

/** @param {{ redis: string | null }} stamp */
function redisHolds(stamp) {
  if (process.env['DIBS_REDIS_URL'] || process.env['REDIS_URL']) return true;
  return stamp.redis !== null && existsSync(stamp.redis);
}

/** @param {string} root */
function lockHash(root) {
  const path = join(root, 'package-lock.json');
  return createHash('sha256')
    .update(existsSync(path) ? readFileSync(path) : readFileSync(join(root, 'package.json')))
    .digest('hex');
}

/** @param {string} root */
function stampPath(root) {
  return join(root, 'node_modules', '.dibs-setup');
}
