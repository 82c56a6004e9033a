/** keys.ts and the Lua key functions give the same names, and there are no other keys. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keys, makeCell, workflowKey } from '../../../coordinator/queue/keys.ts';
import { ScriptRunner, linkSource } from '../../../coordinator/queue/scripts.ts';
import { cellTag } from '../../../coordinator/queue/slots.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { State } from '../../../sdk/common/states.ts';
import { useRedis } from '../../support/redis.ts';
import { change, ending, flow } from './changes.ts';
import { World } from './world.ts';

const lua = join(import.meta.dirname, '../../../coordinator/queue/lua');
const redis = useRedis();
let connection: RedisConnection;
beforeAll(async () => {
  connection = await connectRedis({ target: redis().url, name: 'test' });
});
afterAll(() => closeRedis(connection));

/** Runs an expression over the functions of lib/cell.lua. */
async function evaluate(metaKey: string, expression: string, ...args: string[]): Promise<unknown> {
  const source = linkSource('#!lua', ['cell'], `return ${expression}`);
  // msgpack of an empty list: ARGV[1].
  return connection
    .callBuffer('EVAL', [source, '1', metaKey, Buffer.from([0x90]), ...args])
    .then((reply) => String(reply));
}

test('the prefix of a cell', async () => {
  for (const namespace of ['dibs', 'a:b', '']) {
    for (const count of [1, 6, 40]) {
      const cell = makeCell(namespace, count - 1, cellTag(count - 1, count));
      expect(await evaluate(keys.meta(cell), 'P')).toBe(cell.prefix);
    }
  }
});

test('the bucket of a workflow, of its plan, its chunks and its jobs', async () => {
  const cell = makeCell('dibs', 0, cellTag(0, 1));
  for (let i = 0; i < 50; i++) {
    const wid = workflowKey('acme', `r${i}`, 40);
    expect(await evaluate(keys.meta(cell), 'bucket(ARGV[2])', wid)).toBe(keys.bucket(cell, wid));
  }
});

test('the parts of a job id', async () => {
  const cell = makeCell('dibs', 0, cellTag(0, 1));
  const wid = workflowKey('acme', 'r', 1);
  const parts =
    "(function() local w, s, n = split_ref(ARGV[2]) return tostring(w) .. ' ' .. tostring(s) .. ' ' .. tostring(n) end)()";
  expect(await evaluate(keys.meta(cell), parts, `${wid}-31-1234567`)).toBe(`${wid} 31 1234567`);
  for (const bad of ['', wid, `${wid}-1`, `${wid}-1-`, `${wid}-a-1`, `${wid}-1-1x`, `${wid}--1-1`]) {
    expect(await evaluate(keys.meta(cell), parts, bad)).toBe('nil nil nil');
  }
});

test('the scripts name no key that keys.ts does not', () => {
  const cell = makeCell('', 0, '');
  const files = readdirSync(lua, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.lua'),
  );
  const sources = files.map((file) => readFileSync(join(lua, file), 'utf8'));
  const named = new Set(
    sources.flatMap((source) =>
      [...source.matchAll(/\bP \.\. '([^']*)'/g)].map((match) => match[1] as string),
    ),
  );
  const known = [
    keys.bucket(cell, ''),
    keys.events(cell, ''),
    keys.queue(cell, ''),
    keys.fair(cell, ''),
    keys.classes(cell),
    keys.offers(cell),
    keys.leases(cell),
    keys.timers(cell),
    keys.todo(cell),
    keys.lastClaims(cell),
    keys.idle(cell, ''),
    keys.parked(cell, ''),
    keys.parked(cell, 'wf:'),
    keys.parked(cell, 'cap:'),
    keys.held(cell),
    keys.bus(cell),
  ].map((key) => key.slice(cell.prefix.length));
  known.push(keys.created(cell, 7).slice(cell.prefix.length, -1));
  expect([...named].toSorted()).toEqual(known.toSorted());
});

test('a life with everything in it leaves these keys', async () => {
  const w = new World(connection, new ScriptRunner(connection), redis().url);
  const wid = w.wid('a');
  await w.submit(flow(wid, { jobs: 300, classes: [['q', '']], expireMs: 60_000 }));
  const [held] = await w.take('agent', 2, 'q');
  await w.accept([held?.ref ?? '', held?.token ?? '', -1, 0]);
  await w.take('agent', 1, 'nothing here');
  await w.control(wid);
  const other = w.wid('b');
  await w.submit(flow(other, { band: 2 }));
  await w.decide([other, 1, 0, change({ workflow: ending(State.paused) }), []]);
  await w.take('agent', 1, 'q');
  const { cell } = w;
  const found = [...(await w.dump()).keys()];
  const today = found.filter((key) => key.startsWith(keys.created(cell, 0).slice(0, -1)));
  expect(today).toHaveLength(1);
  expect(Math.abs(Number(today[0]?.split(':').at(-1)) - Date.now() / 86_400_000)).toBeLessThan(2);
  const expected = [
    keys.meta(cell),
    ...new Set([keys.bucket(cell, wid), keys.bucket(cell, other)]),
    keys.events(cell, wid),
    keys.queue(cell, 'q'),
    keys.fair(cell, 'q'),
    keys.classes(cell),
    keys.offers(cell),
    keys.leases(cell),
    keys.timers(cell),
    keys.todo(cell),
    keys.lastClaims(cell),
    keys.idle(cell, 'nothing here'),
    keys.parked(cell, `wf:${other}`),
    ...today,
  ];
  expect(found.toSorted()).toEqual(expected.toSorted());
});
