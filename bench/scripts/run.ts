// Script time of the real scripts with the arguments the coordinator sends: single-step lifetimes and a fan-out.
// node bench/scripts/run.ts [-n 20000] [-r 3] [-b 1,32,64,256] [-c C-flat,C2S-flat] [-o json]
// -c measures layouts of bench/layouts in turn with them, so that ratios hold on a noisy machine.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import type {
  AcceptItem,
  ClaimAsk,
  CompleteItem,
  SoloItem,
  SubmitItem,
} from '../../coordinator/queue/items.ts';
import { makeCell } from '../../coordinator/queue/keys.ts';
import { Reads } from '../../coordinator/queue/reads.ts';
import { bySlice } from '../../coordinator/queue/runs.ts';
import { ScriptRunner } from '../../coordinator/queue/scripts.ts';
import { shareChanges } from '../../coordinator/queue/share.ts';
import { cellTag } from '../../coordinator/queue/slots.ts';
import { Store } from '../../coordinator/queue/store.ts';
import type { Submission } from '../../coordinator/queue/store.ts';
import { Shell } from '../../coordinator/workflow/shell.ts';
import { isTerminal } from '../../sdk/common/states.ts';
import { LAYOUTS, load } from '../layouts/layouts.ts';
import { lifetime as layoutLifetime } from '../layouts/lifetime.ts';
import { PrivateRedis } from '../layouts/server.ts';
import { Flows, ORIGIN } from './flows.ts';

const { values: options } = parseArgs({
  options: {
    count: { type: 'string', short: 'n', default: '20000' },
    rounds: { type: 'string', short: 'r', default: '3' },
    batches: { type: 'string', short: 'b', default: '1,32,64,256' },
    compare: { type: 'string', short: 'c', default: 'C-flat' },
    fan: { type: 'string', short: 'f', default: '10000' },
    output: { type: 'string', short: 'o', default: 'table' },
  },
});
const count = Number(options.count);
const rounds = Number(options.rounds);
const batches = options.batches.split(',').map(Number);
const fanJobs = Number(options.fan);

const LEASE_MS = 120_000;
const OFFER_MS = 15_000;
const AVOID_MS = 5000;
const AGENT = 'agent_0001';
const QUEUE = 'echo';
const cell = makeCell('dibs', 0, cellTag(0, 1));

type Row = Record<string, number>;

const server = await PrivateRedis.start();
const { redis } = server;
const scripts = new ScriptRunner(redis);
// For perf record -p.
process.stderr.write(`redis-server ${/process_id:(\d+)/.exec(await redis.info('server'))?.[1]}\n`);
const reads = new Reads(redis);
let calls = 0;
const tag = (): string => `tag${(calls++).toString(36).padStart(5, '0')}`;
/** JSON of exactly `bytes` bytes. */
const json = (bytes: number): string => {
  const text = randomBytes(bytes)
    .toString('base64')
    .slice(0, bytes - 13);
  return `{"prompt":"${text}"}`;
};

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  );
}

function expect(held: boolean, what: string): void {
  if (!held) throw new Error(`does not hold: ${what}`);
}

/** Makes calls, 64 items or more in flight; gives their answers and the script time. */
async function phase<T>(
  makers: readonly (() => Promise<T>)[],
  batch: number,
): Promise<{ replies: T[]; us: number }> {
  const pipelined = Math.max(1, Math.ceil(64 / batch));
  const before = await server.sample();
  const replies: T[] = [];
  for (const group of chunks(makers, pipelined))
    replies.push(...(await Promise.all(group.map((make) => make()))));
  const after = await server.sample();
  return { replies, us: after.scriptUs - before.scriptUs };
}

interface SubmitArgs {
  items: SubmitItem[];
  solos: SoloItem[];
  blobs: Buffer[];
}

function submitArgs(group: readonly Submission[]): SubmitArgs {
  const args: SubmitArgs = { items: [], solos: [], blobs: [] };
  for (const { item, solo, plan } of group) {
    args.blobs.push(plan);
    item[4] = args.blobs.length + 1;
    if (solo === true) args.solos.push(item as SoloItem);
    else args.items.push(item as SubmitItem);
  }
  return args;
}

const ask = (jobs: number): ClaimAsk => [AGENT, jobs, [QUEUE], [1], [jobs]];
let claims = 0;
const claim = (jobs: number): Promise<unknown[]> =>
  scripts.call('claim', cell, [
    tag(),
    ORIGIN,
    ++claims,
    randomBytes(6).toString('base64url'),
    OFFER_MS,
    1,
    [ask(jobs)],
    AVOID_MS,
  ]);

async function lifetime(batch: number): Promise<Row> {
  await server.clear();
  const flows = new Flows(cell, reads);
  const empty = await server.dataBytes();
  const submissions = Array.from({ length: count }, () =>
    flows.submission({ steps: [{ type: 'echo', inputJson: json(200) }] }),
  );
  const submit = await phase(
    chunks(submissions, batch).map((group) => () => {
      const { items, solos, blobs } = submitArgs(group);
      const shared = shareChanges(items, 7);
      return scripts.call('submit', cell, [tag(), ORIGIN, shared.items, [], shared.changes, solos], blobs);
    }),
    batch,
  );
  expect(
    submit.replies.flat().length === count && submit.replies.flat().every(([status]) => status === 'created'),
    'all created',
  );
  const waiting = await server.dataBytes();
  const claimed = await phase(
    Array.from({ length: Math.ceil(count / batch) }, () => () => claim(batch)),
    batch,
  );
  const items = claimed.replies.flatMap((reply) => flows.completions(reply, () => json(200)));
  expect(items.length === count, 'every job is claimed once');
  // Accepts are not part of the lifetime: fast jobs complete without. Half the jobs are accepted, to know what it costs.
  const half = items.slice(0, count / 2).map(([ref, token]): AcceptItem => [ref, token, 3, 60_000]);
  const accept = await phase(
    options.output === 'profile'
      ? []
      : chunks(half, batch).map(
          (group) => () => scripts.call('accept', cell, [tag(), ORIGIN, LEASE_MS, group]),
        ),
    batch,
  );
  const late = await phase(completing(items.slice(0, count / 2), batch), batch);
  const quick = await phase(completing(items.slice(count / 2), batch), batch);
  const lateReplies = late.replies.flatMap(([list]) => list);
  const replies = quick.replies.flatMap(([list]) => list);
  // An accepted job is no solo record any more: the decision comes after.
  expect(
    lateReplies.every(([live]) => live === 'ok'),
    'every late completion is accepted',
  );
  expect(
    replies.every(([live, decided, , state]) => live === 'ok' && decided === 1 && isTerminal(state)),
    `every completion is accepted and ends its workflow ${JSON.stringify(replies[0])}`,
  );
  const finished = await server.dataBytes();
  const [again] = await scripts.call('complete', cell, [tag(), ORIGIN, items.slice(0, 1)]);
  expect(again[0]?.[0] === 'done', 'a second completion is not applied');
  const us = { submit: submit.us / count, claim: claimed.us / count, complete: quick.us / (count / 2) };
  return {
    ...us,
    lifetime: us.submit + us.claim + us.complete,
    accept: accept.us / half.length,
    completeAccepted: late.us / half.length,
    waitingBytes: (waiting - empty) / count,
    finishedBytes: (finished - empty) / count,
  };
}

function completing(items: readonly CompleteItem[], batch: number) {
  return chunks(items, batch).map((group) => () => {
    const { single, slices } = bySlice(group);
    const shared = shareChanges(single, 11);
    return scripts.call('complete', cell, [tag(), ORIGIN, shared.items, shared.changes, slices]);
  });
}

async function fanOut(): Promise<Row> {
  await server.clear();
  const flows = new Flows(cell, reads);
  const clock = {
    now: () => performance.now(),
    sleep: (ms: number) => new Promise<void>((done) => setTimeout(done, ms)),
  };
  const store = new Store({
    redis,
    cells: [cell],
    origin: ORIGIN,
    clock,
    leaseMs: LEASE_MS,
    offerMs: OFFER_MS,
    avoidMs: AVOID_MS,
  });
  let problem: unknown;
  const shell = new Shell({
    store,
    reads,
    cost: () => 1,
    random: () => 0,
    onError: (error) => (problem = error),
  });
  const empty = await server.dataBytes();
  const inputJson = JSON.stringify({ prompt: 'x'.repeat(34), i: { $ref: 'item' } });
  const submission = flows.submission({
    steps: [{ type: 'echo', inputJson, forEach: { itemsJson: String(fanJobs) } }],
  });
  const { items, blobs } = submitArgs([submission]);
  const emitted = await phase(
    [
      async () => {
        await scripts.call('submit', cell, [tag(), ORIGIN, items, []], blobs);
        await shell.settle(items[0]?.[0] as string);
      },
    ],
    1,
  );
  if (problem !== undefined) throw new Error('the fan-out fails', { cause: problem });
  const waiting = await server.dataBytes();
  const claimed = await phase(
    Array.from({ length: 20 }, () => () => claim(64)),
    64,
  );
  const done = claimed.replies.flatMap((reply) => flows.completions(reply, () => '{"ok":true}'));
  expect(done.length === 20 * 64, 'the fan-out is there');
  const completed = await phase(completing(done, 64), 64);
  expect(
    completed.replies.flatMap(([list]) => list).every(([live]) => live === 'ok'),
    'every completion is accepted',
  );
  return {
    emit: emitted.us / fanJobs,
    claim: claimed.us / done.length,
    complete: completed.us / done.length,
    waitingBytes: (waiting - empty) / fanJobs,
  };
}

const samples = new Map<string, Row[]>();
const keep = (name: string, row: Row): void => void samples.set(name, [...(samples.get(name) ?? []), row]);
const compared = LAYOUTS.filter(({ name }) => options.compare.split(',').includes(name));
try {
  for (let round = 0; round < rounds; round++) {
    for (const batch of batches) {
      keep(`scripts/${batch}`, await lifetime(batch));
      for (const layout of compared) {
        const sha = await load(server.redis, layout);
        const { submitUs, claimUs, completeUs, scriptUs, waitingBytes, finishedBytes } = await layoutLifetime(
          server,
          layout,
          sha,
          count,
          batch,
        );
        keep(`${layout.name}/${batch}`, {
          submit: submitUs,
          claim: claimUs,
          complete: completeUs,
          lifetime: scriptUs,
          waitingBytes,
          finishedBytes,
        });
      }
    }
    if (fanJobs > 0) keep(`fan-out of ${fanJobs}, per job`, await fanOut());
  }
} finally {
  await server.stop();
}

/** Median of each figure, and the least lifetime. */
function summary(rows: readonly Row[]): Row {
  const round = (value: number): number => Math.round(value * 10) / 10;
  const out: Row = {};
  for (const name of Object.keys(rows[0] as Row)) {
    const sorted = rows.map((row) => row[name] as number).toSorted((a, b) => a - b);
    out[name] = round(sorted[Math.floor(sorted.length / 2)] as number);
    if (name === 'lifetime') out['least'] = round(sorted[0] as number);
  }
  return out;
}

const report = Object.fromEntries([...samples].map(([name, rows]) => [name, summary(rows)]));
if (options.output === 'json') console.log(JSON.stringify({ bench: 'scripts', count, rounds, us: report }));
else console.table(report);
