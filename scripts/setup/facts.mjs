/**
 * Looks at the machine for `plan.mjs`. Reads and runs `--version` commands; changes nothing.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join, sep } from 'node:path';
import { atLeast } from './plan.mjs';

/** Where redis-server lives when it is not on PATH. */
const REDIS_FOLDERS = [
  '/usr/bin',
  '/usr/sbin',
  '/usr/local/bin',
  '/opt/homebrew/bin',
  '/opt/homebrew/opt/redis/bin',
  '/usr/local/opt/redis/bin',
  '/opt/redis/bin',
  '/home/linuxbrew/.linuxbrew/bin',
  '/snap/bin',
];

const MANAGERS = ['apt-get', 'dnf', 'yum', 'apk', 'pacman', 'brew'];

/**
 * @param {string} root
 * @returns {import('./plan.mjs').Facts}
 */
export function gatherFacts(root) {
  const redis = findRedis();
  const isRoot = process.getuid?.() === 0;
  return {
    platform: process.platform,
    arch: process.arch,
    libc: libc(),
    nodeVersion: process.versions.node,
    nodeIsLocal: runsLocalNode(root),
    localNode: versionOf(localNodePath(root), /v(\d+\.\d+\.\d+)/),
    hasLock: existsSync(join(root, 'package-lock.json')),
    packagesFresh: packagesFresh(root),
    redis,
    redisElsewhere: Boolean(process.env['DIBS_REDIS_URL'] || process.env['REDIS_URL']),
    isRoot,
    canSudo: !isRoot && !(redis && atLeast(redis.version, '7.0')) && canSudo(),
    managers: MANAGERS.filter((name) => onPath(name) !== undefined),
  };
}

/** @param {string} root */
export function localNodePath(root) {
  return join(root, 'node_modules', '.bin', 'node');
}

/** @param {string} root */
export function runsLocalNode(root) {
  return process.execPath.startsWith(join(root, 'node_modules') + sep);
}

/**
 * node_modules holds every package of the lock file, at its version. npm's own record is compared, so that
 * packages installed by hand count too. Optional ones may be absent: most are for other platforms.
 *
 * @param {string} root
 */
function packagesFresh(root) {
  const wanted = readPackages(join(root, 'package-lock.json'));
  const present = readPackages(join(root, 'node_modules', '.package-lock.json'));
  if (!present) return false;
  if (!wanted) return true;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    return present[path] ? present[path].version === entry.version : entry.optional === true;
  });
}

/**
 * @param {string} path
 * @returns {Record<string, { version?: string, optional?: boolean }> | undefined}
 */
function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** @returns {{ path: string, version: string } | null} the newest one, preferring what PATH names on a tie */
function findRedis() {
  const named = process.env['DIBS_REDIS_SERVER'];
  const candidates = named
    ? [named]
    : [onPath('redis-server'), ...REDIS_FOLDERS.map((folder) => join(folder, 'redis-server'))];
  /** @type {{ path: string, version: string } | null} */
  let best = null;
  for (const path of candidates) {
    if (path === undefined || !isExecutable(path)) continue;
    const version = versionOf(path, /v=(\d+\.\d+\.\d+)/);
    if (version && (!best || !atLeast(best.version, version))) best = { path, version };
  }
  return best;
}

/** musl's absence of a glibc version in the process report is the documented way to tell them apart. */
function libc() {
  if (process.platform !== 'linux') return null;
  const report = /** @type {any} */ (process.report?.getReport());
  return report?.header?.glibcVersionRuntime ? 'glibc' : 'musl';
}

function canSudo() {
  return onPath('sudo') !== undefined && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
}

/**
 * @param {string} path
 * @param {RegExp} pattern
 */
function versionOf(path, pattern) {
  if (!existsSync(path)) return null;
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  return pattern.exec(stdout ?? '')?.[1] ?? null;
}

/** @param {string} name */
function onPath(name) {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
