/**
 * A private redis-server as a supervised child, for `dibs dev`, the demo and the tests.
 *
 * Invariants: it keeps its data in its own folder (append-only file, fsync every second, noeviction) and listens where
 * only this user (unix socket, mode 700) or this machine (loopback port) reaches it; it is ready, loading done, when the
 * promise resolves; it never outlives this process (guard.ts); `stop` flushes and waits; its unexpected end is reported
 * once. It is not restarted here: whoever started it decides.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../free-port.ts';
import { pingRedis } from './ping.ts';
import { findServerBinary } from './server-binary.ts';
import { parseRedisTarget } from './target.ts';
import type { Address, RedisTarget } from './target.ts';

export interface EmbeddedRedisOptions {
  /** Data folder, made when missing. Its content is the database. */
  readonly folder: string;
  /** Socket file; default `<folder>/redis.sock`. A path over 100 bytes cannot be bound: then a free loopback port serves. */
  readonly socketPath?: string;
  /** Listen on this loopback port as well; 0 = a free one; undefined = none while there is a socket. */
  readonly port?: number;
  /** redis-server to run; default: redis-server or valkey-server on the PATH. */
  readonly binary?: string;
  /** Further settings, as in redis.conf: { maxmemory: '1gb' }. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Time for the answer to the first PING; loading after that has no limit of its own. */
  readonly startTimeoutMs?: number;
  /** Called when the server ends without `stop`. */
  readonly onExit?: (reason: string) => void;
}

export interface EmbeddedRedis {
  /** For connectRedis; the socket where there is one. */
  readonly target: RedisTarget;
  /** The same as REDIS_URL would say it. */
  readonly url: string;
  /** Loopback port; undefined without one. */
  readonly port: number | undefined;
  readonly pid: number;
  readonly version: string;
  readonly logFile: string;
  /** SIGTERM (flushes to disk) and wait. Idempotent. */
  stop(): Promise<void>;
}

/** sun_path holds 104 bytes on macOS, 108 on Linux, with the final NUL. */
const MAX_SOCKET_PATH_BYTES = 100;
const START_TIMEOUT_MS = 20_000;
const STOP_GRACE_MS = 10_000;
const POLL_MS = 10;
/** Emitted beside us under our own ending. */
const GUARD = fileURLToPath(new URL('./guard.ts', import.meta.url)).replace(
  /\.ts$/,
  extname(import.meta.filename),
);

export async function startEmbeddedRedis(options: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
  const binary = await findServerBinary(options.binary);
  const folder = resolve(options.folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const wantedSocket = resolve(options.socketPath ?? join(folder, 'redis.sock'));
  const socketPath = Buffer.byteLength(wantedSocket) > MAX_SOCKET_PATH_BYTES ? undefined : wantedSocket;
  const wantedPort = options.port ?? (socketPath === undefined ? 0 : undefined);
  const port = wantedPort === 0 ? await freePort() : wantedPort;
  const address: Address | { path: string } =
    socketPath === undefined ? { host: '127.0.0.1', port: port ?? 0 } : { path: socketPath };
  const url = socketPath === undefined ? `redis://127.0.0.1:${port}` : `unix://${socketPath}`;
  const logFile = join(folder, 'redis.log');

  if ((await pingRedis(address)) !== 'silent')
    throw new Error(`A Redis answers at ${url} already. Stop it, or choose another folder.`);
  const settings: Record<string, string> = {
    dir: folder,
    port: String(port ?? 0),
    bind: '127.0.0.1',
    ...(socketPath === undefined ? {} : { unixsocket: socketPath, unixsocketperm: '700' }),
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
    logfile: logFile,
    ...options.settings,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const guard = spawn(
    process.execPath,
    [GUARD, join(folder, 'redis.lock'), String(STOP_GRACE_MS), binary.path, ...args],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    },
  );
  return supervise(guard, { address, url, port, version: binary.version, logFile, options });
}

interface Launch {
  readonly address: Address | { readonly path: string };
  readonly url: string;
  readonly port: number | undefined;
  readonly version: string;
  readonly logFile: string;
  readonly options: EmbeddedRedisOptions;
}

async function supervise(guard: ChildProcess, launch: Launch): Promise<EmbeddedRedis> {
  let pid = 0;
  let complaint = '';
  let ended = false;
  let expected = false;
  guard.stdout?.on('data', (data: Buffer) => (pid ||= Number.parseInt(data.toString(), 10)));
  guard.stderr?.on('data', (data: Buffer) => (complaint = (complaint + data.toString()).slice(-2_000)));
  guard.stdin?.on('error', () => undefined);
  const exit = new Promise<void>((done) => {
    guard.on('error', (error) => {
      complaint += error.message;
      ended = true;
      done();
    });
    guard.on('close', () => {
      ended = true;
      // Rule 5 of guard.ts: a guard that was killed could not stop its server.
      if (guard.signalCode !== null) killQuietly(pid);
      done();
    });
  });
  const stop = async (): Promise<void> => {
    expected = true;
    holdLoop(guard, true);
    guard.stdin?.end();
    await exit;
  };
  try {
    await untilReady(launch, () => ({ ended, known: pid !== 0 }));
  } catch (error) {
    await stop();
    const log = complaint.trim() || (await lastLines(launch.logFile));
    throw new Error(`The private Redis did not start: ${(error as Error).message}\n${log}`.trim(), {
      cause: error,
    });
  }
  void exit.then(async () => {
    if (!expected) launch.options.onExit?.(complaint.trim() || (await lastLines(launch.logFile)));
  });
  // A Dibs process may end by running out of work; the guard then stops Redis.
  holdLoop(guard, false);
  const { url, port, version, logFile } = launch;
  return { target: parseRedisTarget(url), url, port, pid, version, logFile, stop };
}

async function untilReady(launch: Launch, server: () => { ended: boolean; known: boolean }): Promise<void> {
  const timeoutMs = launch.options.startTimeoutMs ?? START_TIMEOUT_MS;
  let deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await pingRedis(launch.address);
    const { ended, known } = server();
    if (ended) throw new Error('redis-server ended at once.');
    if (answer === 'ready' && known) return;
    if (answer === 'loading') deadline = Date.now() + timeoutMs;
    if (Date.now() > deadline) throw new Error(`no answer within ${timeoutMs} ms.`);
    await delay(POLL_MS);
  }
}

/** Whether the guard and its pipes keep this process running. */
function holdLoop(guard: ChildProcess, hold: boolean): void {
  for (const handle of [guard, guard.stdin, guard.stdout, guard.stderr] as (Partial<
    Pick<ChildProcess, 'ref' | 'unref'>
  > | null)[]) {
    if (hold) handle?.ref?.();
    else handle?.unref?.();
  }
}

function killQuietly(pid: number): void {
  if (pid === 0) return;
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // It ended with its guard.
  }
}

async function lastLines(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-5).join('\n');
}
