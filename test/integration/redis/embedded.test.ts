/** The private Redis: data survives, the folder is its own, and it never outlives its parent. */
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import { startEmbeddedRedis } from '../../../runtime/redis/embedded.ts';
import type { EmbeddedRedis, EmbeddedRedisOptions } from '../../../runtime/redis/embedded.ts';
import { pingRedis } from '../../../runtime/redis/ping.ts';
import { isAlive } from '../../support/processes.ts';
import { startProc } from '../../support/proc.ts';
import { until } from '../../support/until.ts';

const PARENT = 'test/integration/redis/embedded-parent.ts';
let folder = '';
let running: EmbeddedRedis[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dibs-embedded-'));
});
afterEach(async () => {
  await Promise.all(running.map((redis) => redis.stop()));
  running = [];
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<EmbeddedRedisOptions> = {}): Promise<EmbeddedRedis> {
  const redis = await startEmbeddedRedis({ folder, ...options });
  running.push(redis);
  return redis;
}

async function run<T>(redis: EmbeddedRedis, ...command: [string, ...string[]]): Promise<T> {
  const connection = await connectRedis({ target: redis.target, name: 'test' });
  try {
    return (await connection.call(...command)) as T;
  } finally {
    await closeRedis(connection);
  }
}

describe('a private Redis', () => {
  test('listens on its socket only, for this user only', async () => {
    const redis = await start();
    expect(redis.url).toBe(`unix://${join(folder, 'redis.sock')}`);
    expect(redis.port).toBeUndefined();
    expect(await run(redis, 'CONFIG', 'GET', 'port')).toEqual(['port', '0']);
    expect((await stat(join(folder, 'redis.sock'))).mode & 0o077).toBe(0);
  });

  test('is durable and never evicts', async () => {
    const redis = await start();
    const setting = async (name: string): Promise<string | undefined> =>
      (await run<string[]>(redis, 'CONFIG', 'GET', name))[1];
    expect(await setting('appendonly')).toBe('yes');
    expect(await setting('appendfsync')).toBe('everysec');
    expect(await setting('maxmemory-policy')).toBe('noeviction');
  });

  test('keeps its data from one start to the next', async () => {
    const first = await start();
    await run(first, 'SET', 'kept', 'yes');
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);
    expect(await run(await start(), 'GET', 'kept')).toBe('yes');
  });

  test('falls back to a loopback port where the path is too long for a socket', async () => {
    const deep = join(folder, 'd'.repeat(100));
    const redis = await start({ folder: deep });
    expect(redis.url).toMatch(/^redis:\/\/127\.0\.0\.1:\d+$/);
    expect(await run(redis, 'PING')).toBe('PONG');
  });

  test('takes further settings and a port beside the socket', async () => {
    const redis = await start({ port: 0, settings: { maxmemory: '64mb' } });
    expect(redis.port).toBeGreaterThan(0);
    expect(await pingRedis({ host: '127.0.0.1', port: redis.port ?? 0 })).toBe('ready');
    expect(await run(redis, 'CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', String(64 * 1024 * 1024)]);
  });

  test('is waited for while it loads', async () => {
    const first = await start();
    await run(
      first,
      'EVAL',
      `for i = 1, 20000 do redis.call('SET', 'key:' .. i, string.rep('x', 100)) end`,
      '0',
    );
    await first.stop();
    const slow = await start({
      settings: { 'key-load-delay': '20', 'loading-process-events-interval-bytes': '1024' },
    });
    expect(await run(slow, 'DBSIZE')).toBe(20_000);
  });

  test('reports its unexpected end, once', async () => {
    const reasons: string[] = [];
    const redis = await start({ onExit: (reason) => reasons.push(reason) });
    process.kill(redis.pid, 'SIGKILL');
    await until('the report', () => reasons.length > 0);
    await redis.stop();
    expect(reasons).toHaveLength(1);
  });

  test('does not report an end that was asked for', async () => {
    const reasons: string[] = [];
    const redis = await start({ onExit: (reason) => reasons.push(reason) });
    await Promise.all([redis.stop(), redis.stop()]);
    expect(reasons).toEqual([]);
    expect(isAlive(redis.pid)).toBe(false);
  });
});

describe('one folder', () => {
  test('is used by one Redis at a time', async () => {
    await start();
    await expect(start({ socketPath: join(folder, 'other.sock') })).rejects.toThrow(
      /Another Redis \(pid \d+\) uses this data folder/,
    );
    await expect(start()).rejects.toThrow(/answers at .* already/);
  });

  test('is free again after a kill -9 of everything', async () => {
    const redis = await start();
    process.kill(redis.pid, 'SIGKILL');
    await redis.stop();
    await writeFile(join(folder, 'redis.lock'), JSON.stringify([{ pid: redis.pid, program: 'server' }]));
    expect(await run(await start(), 'PING')).toBe('PONG');
  });

  test('is free when the pid in its lock is now another program', async () => {
    await writeFile(
      join(folder, 'redis.lock'),
      JSON.stringify([{ pid: process.pid, program: 'redis-server-not' }]),
    );
    expect(await run(await start(), 'PING')).toBe('PONG');
  });
});

describe('when the parent ends', () => {
  test.each([
    ['by kill -9', 'SIGKILL', undefined],
    ['by process.exit', undefined, 'leave\n'],
    ['by a clean stop', undefined, 'stop\n'],
  ] as const)('%s, Redis ends, and its data is on disk', async (_how, signal, word) => {
    await using parent = startProc(PARENT, { args: [folder] });
    const { pid, url } = await parent.json<{ pid: number; url: string }>();
    const connection = await connectRedis({ target: url, name: 'test' });
    await connection.set('kept', 'yes');
    if (signal !== undefined) parent.signal(signal);
    else parent.child.stdin?.write(word ?? '');
    await until('Redis to be gone', () => !isAlive(pid));
    await closeRedis(connection);
    await parent.exit();
    expect(await run(await start(), 'GET', 'kept')).toBe('yes');
  });

  test('Ctrl-C at the terminal reaches the parent only', async () => {
    await using parent = startProc(PARENT, { args: [folder] });
    const { pid } = await parent.json<{ pid: number }>();
    // The kernel sends SIGINT to the foreground group; Redis must be in another one.
    const { readFile } = await import('node:fs/promises');
    const group = async (of: number): Promise<string | undefined> =>
      (await readFile(`/proc/${of}/stat`, 'utf8')).split(') ')[1]?.split(' ')[2];
    if (process.platform === 'linux') expect(await group(pid)).not.toBe(await group(parent.pid));
    await parent.kill();
    expect(await until('Redis to be gone', () => !isAlive(pid))).toBe(true);
  });
});

describe('without a usable redis-server', () => {
  test('a missing one is named, with what to do', async () => {
    await expect(start({ binary: join(folder, 'nowhere') })).rejects.toThrow(
      /was not found.*apt-get install redis-server.*REDIS_URL/,
    );
  });

  test('one that is too old is refused', async () => {
    const old = join(folder, 'old-redis');
    await writeFile(old, '#!/bin/sh\necho "Redis server v=6.2.14 sha=00000000:0"\n');
    await chmod(old, 0o755);
    await expect(start({ binary: old })).rejects.toThrow(
      /is version 6\.2\.14; Dibs needs Redis 7\.0 or newer/,
    );
  });

  test('one that does not start tells its own reason', async () => {
    await expect(start({ settings: { 'no-such-setting': 'x' } })).rejects.toThrow(
      /did not start[^]*no-such-setting/,
    );
    const file = join(folder, 'file');
    await writeFile(file, '');
    await mkdir(join(folder, 'sub'));
    await expect(start({ folder: join(folder, 'sub'), settings: { dir: file } })).rejects.toThrow(
      /did not start[^]*dir/,
    );
  });
});
