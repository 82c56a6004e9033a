/** The model test is worth something: scripts with a planted bug fail it. */
import fc from 'fast-check';
import type { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pack } from '../../../coordinator/queue/codec.ts';
import { SCRIPT_NAMES } from '../../../coordinator/queue/gen/scripts.ts';
import type { ScriptName, Scripts } from '../../../coordinator/queue/gen/scripts.ts';
import { keys } from '../../../coordinator/queue/keys.ts';
import type { Cell } from '../../../coordinator/queue/keys.ts';
import { readReply, scriptSource } from '../../../coordinator/queue/scripts.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { useRedis } from '../../support/redis.ts';
import { Walk, walks } from './model/walk.ts';
import { World } from './world.ts';
import type { Caller } from './world.ts';

const redis = useRedis();
let connection: RedisConnection;
beforeAll(async () => {
  connection = await connectRedis({ target: redis().url, name: 'test' });
});
afterAll(() => closeRedis(connection));

/** Runs the scripts with a piece of their source replaced. */
class PatchedScripts implements Caller {
  readonly #redis: Redis | Cluster;
  readonly #sources = new Map<ScriptName, string>();

  constructor(use: Redis | Cluster, from: string, to: string) {
    this.#redis = use;
    let found = 0;
    for (const name of SCRIPT_NAMES) {
      const source = scriptSource(name, (text) => {
        found += text.split(from).length - 1;
        return text.replaceAll(from, to);
      });
      this.#sources.set(name, source);
    }
    if (found === 0) throw new Error(`"${from}" is nowhere in the scripts: plant this bug anew.`);
  }

  async call<N extends ScriptName>(
    name: N,
    cell: Cell,
    args: Scripts[N]['args'],
    blobs: readonly Buffer[] = [],
  ): Promise<Scripts[N]['returns']> {
    const source = this.#sources.get(name) as string;
    const reply = await this.#redis.callBuffer('EVAL', [source, '1', keys.meta(cell), pack(args), ...blobs]);
    const value = readReply(reply, source.includes('\n-- returns: sequence'));
    return value as Scripts[N]['returns'];
  }
}

/** Number of the first walk that the scripts fail, or what they say when they fail none. */
async function failedWalk(
  scripts: Caller,
  limit: number,
): Promise<{ walk: number; error: unknown } | undefined> {
  for (const [walk, moves] of fc.sample(walks, { seed: 7, numRuns: limit }).entries()) {
    await connection.flushall();
    try {
      await new Walk(new World(connection, scripts, redis().url)).run(moves);
    } catch (error) {
      return { walk, error };
    }
  }
  return undefined;
}

test('as they are, the scripts fail no walk', async () => {
  expect(await failedWalk(new PatchedScripts(connection, 'local', 'local'), 10)).toBeUndefined();
});

const bugs: readonly (readonly [bug: string, from: string, to: string])[] = [
  ['the fence is not checked', "if token == '' or j[J.token] ~= token then", "if token == '' then"],
  ['a repeated claim is a new one', 'if last[1] == claim_no then', 'if false then'],
  [
    'a job that comes back loses its place',
    'queue_again(rec.j[J.class], rec.j[J.score], rec.j[J.member])',
    'enqueue(rec)',
  ],
  [
    'a decision takes the mark away whatever came since',
    'if h[H.facts] == facts then',
    "if true then h[H.dirty] = '' zrem(TODO, w.wid) return true end if true then",
  ],
  [
    'a finished job keeps its lease',
    'drop_lease(rec)\n  j[J.state] = state',
    'j[J.hold] = 0 j[J.state] = state',
  ],
  [
    'a batch of further jobs counts again',
    "if live == 'ok' and it[3] <= rec.j[J.emitBatch] then live = 'done' end",
    '',
  ],
  ['a decision from an old view applies', 'elseif w.h[H.ver] ~= it[2] then', 'elseif false then'],
  ['a decision ahead ignores facts', ' and h[H.facts] == it[11]', ''],
  ['a canceled job stays in the queue', '    leave_queue(rec)\n    zrem', '    zrem'],
  ['an accepted job may still lapse', '      zrem(OFFERS, rec.ref)\n', ''],
  ['a stall is not counted', 'j[J.recoveries] = j[J.recoveries] + 1', ''],
  ['events of one call share a number', 'h[H.seq] = h[H.seq] + w.evs', 'h[H.seq] = h[H.seq] + 1'],
  [
    'an old attempt timer ends a new attempt',
    "if held(rec, token) == 'ok' then\n      local j = rec.j\n      told",
    'if rec and rec.j[J.hold] ~= 0 then\n      local j = rec.j\n      told',
  ],
  ['a group gives more than its limit', 'limits[a][group] = limits[a][group] - 1', ''],
  ['a result counts for a job that ended', "if terminal(j[J.state]) then return 'done' end", ''],
  ['a plain success is not fenced', " and it[2] ~= '' and q[Q.token] == it[2]", ''],
  [
    'a record taken apart is written by half',
    '      touch(rec.w)\n      move(rec)\n      if rec.held',
    '      if rec.held',
  ],
  ['a record taken apart keeps the claim beside it', 'if rec.held then drop_hold(rec.w.wid) end', ''],
  ['a plain success keeps the claim beside it', 'if solo.held then drop_hold(solo.wid) end', ''],
  [
    'a record taken apart keeps the entry that is not read',
    "zrem(P .. 'q:' .. j[J.class], sub(j[J.member], 1, -5))",
    '',
  ],
  [
    'a record taken apart leaves its queue',
    "then zadd(P .. 'q:' .. j[J.class], j[J.score], j[J.member]) end",
    'then end',
  ],
  [
    'a plain success keeps its offer',
    'count_held(q[Q.tenant], -1)\n    zrem(OFFERS, it[1])\n',
    'count_held(q[Q.tenant], -1)\n',
  ],
  ['a record taken apart forgets its claim', 'claimed and 1 or 0, 0, 1, 0, -1', '0, 0, 1, 0, -1'],
  [
    'who lost a job takes it again',
    "elseif j[J.agents] ~= '' and shuns(ask, at, j) then",
    'elseif false then',
  ],
  ['nobody else is asked for', 'if alone[i] == at then return false end', ''],
  ['what one agent leaves is left by all', 'if not shuns(asks[a], at, p.passed[k][3]) then return k end', ''],
  ['a replacement forgets who tried', 'j[J.agents] = with_agent(o[J.agents], o[J.agent])', ''],
  [
    'who comes back is asked for offers only',
    "local key = A[1] == 'o' and OFFERS or LEASES",
    'local key = OFFERS',
  ],
  ['a queue timeout during an offer is forgotten', 'zadd(TIMERS, now + 1000, list[i])', ''],
  ['a slice is not fenced', 'and fences[i + count] == base + first + count and', 'and'],
  [
    "a slice is not fenced by its claim's secret",
    'hold and hold[L.random] == random and hold',
    'hold and hold',
  ],
  ['a slice counts twice', '        and not gone_from(run)[first + count] do', '        do'],
  [
    'a run is taken from without moving its entry',
    'if entry ~= run.entry or stands ~= run.stood then',
    'if false then',
  ],
  ['a job that leaves its run leaves its input behind', 'then own_input(rec) end', 'then end'],
  [
    'a slice that has ended keeps its offer',
    'if hold[L.left] == 0 then zrem(OFFERS',
    'if false then zrem(OFFERS',
  ],
  ['a run forgets who holds it', 'if run.holds[i][L.left] > 0 then', 'if false then'],
  [
    'jobs of a run have one token',
    'token_text(hold[L.fence] + at - hold[L.from], hold[L.random])',
    'token_text(hold[L.fence], hold[L.random])',
  ],
  [
    'asks that are alike get one job too many',
    '    if takers > 0 and not done[b] then',
    '    if not done[b] then',
  ],
  ['a requeue ignores what was seen', 'if where ~= seen then', 'if false then'],
  [
    'a job put to the front is put there again',
    'if score and tonumber(score) <= front then',
    'if false then',
  ],
  ['a job put elsewhere keeps its entry', '    leave_queue(rec)\n  end\n  move(rec)', '  end\n  move(rec)'],
  [
    'a claim that was given up is forgotten',
    '  rec.j[J.history] = with_claim(rec.j, how, reason, now)\n',
    '',
  ],
];

test.each(bugs)('%s', async (_, from, to) => {
  expect(await failedWalk(new PatchedScripts(connection, from, to), 600), 'no walk failed').toBeDefined();
});
