/**
 * Finds a redis-server to start, and refuses one that is too old, in sentences that say what to do.
 *
 * Invariant: 7.0 is the floor, because scripts need `#!lua` flags and agents are woken by sharded publish.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Valkey is the same program under its later name. */
const NAMES = ['redis-server', 'valkey-server'] as const;

const INSTALL =
  'Install it (Debian, Ubuntu: apt-get install redis-server; Fedora: dnf install valkey; macOS: brew install redis), ' +
  'or set REDIS_URL to a Redis that runs already.';

export interface ServerBinary {
  readonly path: string;
  /** For example "7.0.15". */
  readonly version: string;
}

/** `binary`: a path or a name to use instead of looking for the usual ones. Throws an Error that names the fix. */
export async function findServerBinary(binary?: string): Promise<ServerBinary> {
  for (const name of binary === undefined ? NAMES : [binary]) {
    const version = await versionOf(name);
    if (version === undefined) continue;
    if (Number(version.split('.')[0]) < 7) {
      throw new Error(`${name} is version ${version}; Dibs needs Redis 7.0 or newer. ${INSTALL}`);
    }
    return { path: name, version };
  }
  throw new Error(
    `${binary ?? 'redis-server'} was not found, so no private Redis can be started. ${INSTALL}`,
  );
}

async function versionOf(name: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(name, ['--version'], { timeout: 10_000 });
    return /\bv=(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? '0.0.0';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`${name} --version failed: ${(error as Error).message}. ${INSTALL}`, { cause: error });
  }
}
