/**
 * Private Redis servers for tests and benches: one server, or a real Cluster of three. No test framework in here;
 * redis.ts ties them to a test file.
 *
 * Invariants: own folder under the system's temporary one, own socket and free loopback port; stopped by pid; a server
 * can be killed, frozen and started again on the same data and address, for tests of what happens then.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startEmbeddedRedis } from '../../runtime/redis/embedded.ts';
import type { EmbeddedRedis, EmbeddedRedisOptions } from '../../runtime/redis/embedded.ts';
import { isAlive } from './processes.ts';
import { until } from './until.ts';

export interface TestRedis {
  /** What REDIS_URL would say. */
  readonly url: string;
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly pid: number;
  readonly folder: string;
  /** Empties it, and forgets its scripts. */
  flush(): Promise<void>;
  /** kill -9; resolves when it is gone. */
  crash(): Promise<void>;
  /** Starts it again on the same data, socket and port. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing is answered. */
  freeze(): void;
  thaw(): void;
  /** Stops it and removes its folder. Idempotent. */
  stop(): Promise<void>;
}

export interface TestRedisOptions {
  /** Keep an append-only file, as in production; default false: faster, and a restart begins empty. */
  readonly durable?: boolean;
  readonly settings?: Readonly<Record<string, string>>;
  /** Keep everything here, after `stop` too; default a temporary folder, removed by `stop`. */
  readonly folder?: string;
  /** Default a free one. */
  readonly port?: number;
  /** Called when a server ends that was neither crashed nor stopped. */
  readonly onExit?: (reason: string) => void;
}

export async function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'dibs-redis-')));
  const start = (port: number): Promise<EmbeddedRedis> =>
    startEmbeddedRedis(embeddedOptions(folder, port, options));
  // The free port may be taken by the time it is used.
  let server = await start(options.port ?? 0).catch(() => start(options.port ?? 0));
  return {
    url: server.url,
    host: '127.0.0.1',
    port: server.port ?? 0,
    get pid() {
      return server.pid;
    },
    folder,
    flush: () =>
      withClient(
        server,
        async (client) => void (await Promise.all([client.flushall(), client.script('FLUSH')])),
      ),
    crash: async () => {
      process.kill(server.pid, 'SIGKILL');
      // At once: from now on its end is expected.
      const stopped = server.stop();
      await until('the killed redis-server to be gone', () => !isAlive(server.pid));
      await stopped;
    },
    restart: async () => {
      server = await start(server.port ?? 0);
    },
    freeze: () => void process.kill(server.pid, 'SIGSTOP'),
    thaw: () => void process.kill(server.pid, 'SIGCONT'),
    stop: async () => {
      if (isAlive(server.pid)) process.kill(server.pid, 'SIGCONT');
      await server.stop();
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

function embeddedOptions(folder: string, port: number, options: TestRedisOptions): EmbeddedRedisOptions {
  return {
    folder,
    port,
    settings: { appendonly: options.durable === true ? 'yes' : 'no', ...options.settings },
    ...(options.onExit === undefined ? {} : { onExit: options.onExit }),
  };
}

async function withClient<T>(server: EmbeddedRedis, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ host: '127.0.0.1', port: server.port ?? 0, lazyConnect: true });
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}
