/**
 * `dibs coordinator check`: tries what a start would need, one line each, and starts nothing.
 *
 * Each line says what was found; a failed one what to do.
 */
import { access, constants, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, resolve } from 'node:path';
import { assertListenAllowed } from '../../runtime/auth.ts';
import { checkRedis } from '../../runtime/redis/check.ts';
import { closeRedis, connectRedis } from '../../runtime/redis/connect.ts';
import type { Durability } from '../../runtime/redis/durability.ts';
import { findServerBinary } from '../../runtime/redis/server-binary.ts';
import { describeTarget, parseRedisTarget } from '../../runtime/redis/target.ts';
import { print } from '../io.ts';
import type { Io } from '../io.ts';
import { paint } from '../output/paint.ts';
import { dataDirOf, httpOf, loadCoordinatorSettings } from './settings.ts';

const REDIS_TIMEOUT_MS = 5_000;

/** True when all is well. A configuration that cannot be read is thrown as a ConfigError. */
export async function checkCoordinator(io: Io, flags: Readonly<Record<string, unknown>>): Promise<boolean> {
  const { values } = loadCoordinatorSettings(flags, io.env);
  const { host, port } = values.listen;
  const dataDir = resolve(io.cwd, dataDirOf(values, io.env));
  const checks: readonly (readonly [string, () => Promise<string>])[] = [
    ['configuration', async () => 'every setting is valid'],
    ['listen', () => checkListen(host, port, values.token)],
    ['http-listen', () => checkHttp(httpOf(values.httpListen, port).http, values.token)],
    ['data', () => checkFolder(dataDir)],
    [
      'redis',
      () =>
        values.redisUrl === undefined ? checkBinary(values.durability) : checkGiven(values.redisUrl, values),
    ],
  ];
  const painter = paint(io.color.stdout);
  let ok = true;
  for (const [name, check] of checks) {
    try {
      print(io, `${painter('green', '✓')} ${name.padEnd(14)} ${await check()}`);
    } catch (error) {
      ok = false;
      print(io, `${painter('red', '✗')} ${name.padEnd(14)} ${(error as Error).message}`);
    }
  }
  return ok;
}

/** What it would listen on. Throws where it may not, or where the port is taken. */
export async function checkListen(
  host: string,
  port: number,
  token: string | undefined,
  flag = '--listen',
): Promise<string> {
  assertListenAllowed(host, token);
  const server = createServer();
  const bound = Promise.withResolvers<void>();
  server.once('error', bound.reject).listen({ port, ...(host === '' ? {} : { host }) }, bound.resolve);
  try {
    await bound.promise;
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    throw taken
      ? new Error(`port ${port} is in use; stop what listens there or choose another with ${flag}`)
      : error;
  }
  server.close();
  return `${host === '' ? 'all addresses' : host}, port ${port === 0 ? '(a free one)' : port}, ${token === undefined ? 'no token needed' : 'token needed'}`;
}

async function checkHttp(
  http: { readonly host: string; readonly port: number } | undefined,
  token: string | undefined,
): Promise<string> {
  if (http === undefined) return 'off: no metrics';
  return checkListen(http.host, http.port, token, '--http-listen');
}

/** Makes nothing: what is there already must allow it. */
async function checkFolder(folder: string): Promise<string> {
  const present = await nearestPresent(folder);
  if (!(await stat(present)).isDirectory()) throw new Error(`${present} is not a folder`);
  try {
    await access(present, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    throw new Error(`${present} cannot be written to; choose another folder with --data-dir`);
  }
  return present === folder ? `${folder} can be written to` : `${folder} can be made`;
}

async function nearestPresent(path: string): Promise<string> {
  try {
    await access(path);
    return path;
  } catch {
    return dirname(path) === path ? path : nearestPresent(dirname(path));
  }
}

async function checkBinary(durability: Durability): Promise<string> {
  if (durability === 't3') throw new Error('durability t3 needs a Redis with a replica; give --redis-url');
  const { path, version } = await findServerBinary();
  return `a private ${path} ${version} in the data directory`;
}

async function checkGiven(
  url: string,
  { durability, replicas }: { readonly durability: Durability; readonly replicas: number },
): Promise<string> {
  const target = parseRedisTarget(url);
  const connection = await connectRedis({ target, name: 'dibs-check', readyTimeoutMs: REDIS_TIMEOUT_MS });
  try {
    const { refusals, warnings } = await checkRedis(connection, durability, replicas);
    if (refusals.length > 0) throw new Error(refusals.join(' '));
    return [`${describeTarget(target)} answers, durability ${durability}`, ...warnings].join('; ');
  } finally {
    await closeRedis(connection);
  }
}
