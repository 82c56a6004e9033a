// A private redis-server for a measurement: own folder, own unix socket, AOF everysec; removed afterwards.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

export interface Sample {
  /** µs the scripts ran, as the server counts it. */
  scriptUs: number;
  /** µs of the server's main thread: scripts, AOF writes and the socket. */
  cpuUs: number;
}

export class PrivateRedis {
  readonly redis: Redis;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(redis: Redis, child: ChildProcess, folder: string) {
    this.redis = redis;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(binary = process.env['REDIS_SERVER'] ?? 'redis-server'): Promise<PrivateRedis> {
    const folder = await mkdtemp(join(tmpdir(), 'dibs-layouts-'));
    const socket = join(folder, 'redis.sock');
    const flags = [
      '--port',
      '0',
      '--unixsocket',
      socket,
      '--dir',
      folder,
      '--save',
      '',
      '--appendonly',
      'yes',
    ];
    flags.push(
      '--appendfsync',
      'everysec',
      '--auto-aof-rewrite-percentage',
      '0',
      '--maxmemory-policy',
      'noeviction',
    );
    const child = spawn(binary, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
    let log = '';
    for await (const chunk of child.stdout) {
      log += String(chunk);
      if (log.includes('connections')) break; // "The server is now ready to accept connections at ..."
    }
    const redis = new Redis(socket, { maxRetriesPerRequest: 0 });
    return new PrivateRedis(redis, child, folder);
  }

  async stop(): Promise<void> {
    this.redis.disconnect();
    const gone = this.#child.exitCode === null ? once(this.#child, 'exit') : undefined;
    this.#child.kill('SIGTERM');
    await gone;
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Empties the data and the append-only file. */
  async clear(): Promise<void> {
    await this.redis.flushall('SYNC');
    await this.redis.bgrewriteaof();
    while (/aof_rewrite_(in_progress|scheduled):1/.test(await this.redis.info('persistence')))
      await pause(20);
    await this.redis.config('RESETSTAT');
  }

  async sample(): Promise<Sample> {
    const stats = await this.redis.info('commandstats');
    const cpu = await this.redis.info('cpu');
    const scriptUs = Number(/cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(stats)?.[1] ?? 0);
    const part = (name: string): number =>
      Number(new RegExp(`${name}_main_thread:([\\d.]+)`).exec(cpu)?.[1] ?? 0);
    return { scriptUs, cpuUs: (part('used_cpu_user') + part('used_cpu_sys')) * 1e6 };
  }

  /** Bytes the data takes: allocator total less client and AOF buffers. */
  async dataBytes(): Promise<number> {
    const info = await this.redis.info('memory');
    const field = (name: string): number => Number(new RegExp(`${name}:(\\d+)`).exec(info)?.[1] ?? 0);
    return field('used_memory') - field('mem_clients_normal') - field('mem_aof_buffer');
  }
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
