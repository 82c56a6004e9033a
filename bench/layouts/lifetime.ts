// What is measured: the lifetime of N single-step workflows in batches, and one 10,000-job fan-out.
import { randomBytes } from 'node:crypto';
import { Packr, unpack } from 'msgpackr';
import type { Command, Layout } from './layouts.ts';
import type { PrivateRedis, Sample } from './server.ts';

const CELL = '{c0}';
const CLASS = 'k7f3a91c';
const AGENT = 'agent-0042';
const BUCKET_SIZE = 100;
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const packr = new Packr({ useRecords: false });

export interface Lifetime {
  submitUs: number;
  claimUs: number;
  completeUs: number;
  scriptUs: number;
  cpuUs: number;
  waitingBytes: number;
  finishedBytes: number;
}

export interface FanOut {
  emitUs: number;
  waitingBytes: number;
  claimUs: number;
  completeUs: number;
}

const text = (bytes: number): string => randomBytes(bytes).toString('base64').slice(0, bytes);
/** JSON of exactly `bytes` bytes. */
const json = (bytes: number): string => `{"prompt":"${text(bytes - 13)}"}`;
const score = (i: number): number => 8 * 2 ** 50 + i * 1024;

function id(i: number, of: number): string {
  const bucket = i % Math.max(1, Math.ceil(of / BUCKET_SIZE));
  const random = text(20).replaceAll(/[+/]/g, 'x');
  return `${DIGITS[Math.floor(bucket / 62)]}${DIGITS[bucket % 62]}${random}`;
}

function planOf(input: string): string {
  const facts = '["render",{"needs":[],"class":"k7f3a91c","cost":1,"retries":3,"timeoutMs":600000}]';
  return `{"name":"bench","steps":[${facts}],"input":${input}}`;
}

async function call(server: PrivateRedis, sha: string, bodies: unknown[]): Promise<unknown[][]> {
  const line = server.redis.pipeline();
  for (const body of bodies) line.callBuffer('EVALSHA', sha, '1', CELL, packr.pack(body));
  const replies = await line.exec();
  return replies!.map(([error, blob]) => {
    if (error) throw error;
    return unpack(blob as Buffer) as unknown[];
  });
}

/** Runs `count` workflows through submit, claim and complete; at least 64 are in flight whatever the batch. */
export async function lifetime(
  server: PrivateRedis,
  layout: Layout,
  sha: Record<Command, string>,
  count: number,
  batch: number,
): Promise<Lifetime> {
  await server.clear();
  const empty = await server.dataBytes();
  const pipelined = Math.max(1, 64 / batch);
  const items = Array.from({ length: count }, (_, i) => {
    const input = json(200);
    const item = [id(i, count), 'tenant-a', planOf(input), CLASS, score(i), 1];
    return layout.jobHoldsInput ? [...item, input] : item;
  });
  const results = Array.from({ length: 64 }, () => json(200));

  async function phase(bodies: unknown[]): Promise<{ replies: unknown[][]; spent: Sample }> {
    const before = await server.sample();
    const replies: unknown[][] = [];
    for (let i = 0; i < bodies.length; i += pipelined) {
      replies.push(...(await call(server, sha[phaseName], bodies.slice(i, i + pipelined))));
    }
    const after = await server.sample();
    return {
      replies,
      spent: { scriptUs: after.scriptUs - before.scriptUs, cpuUs: after.cpuUs - before.cpuUs },
    };
  }

  let phaseName: Command = 'submit';
  const submit = await phase(chunks(items, batch));
  expect(
    submit.replies.flat().every((made) => made === 1),
    'every workflow is new',
  );
  const waiting = await server.dataBytes();

  phaseName = 'claim';
  const asks = Math.ceil(count / batch);
  const claim = await phase(Array.from({ length: asks }, () => [CLASS, batch, AGENT, text(8)]));
  const claimed = chunks(claim.replies.flat(), 4) as [string, string, string, number][];
  expect(claimed.length === count, 'every job is claimed once');
  expect(
    claimed.every(([, , input]) => input.length >= 200),
    'each claim carries its input',
  );

  phaseName = 'complete';
  const done = claimed.map(([ref, token], i) => [ref, token, results[i % results.length]]);
  const complete = await phase(chunks(done, batch));
  expect(
    complete.replies.flat().every((ok) => ok === 1),
    'every completion passes the fence',
  );
  const finished = await server.dataBytes();

  const again = await call(server, sha.complete, [done.slice(0, batch)]);
  expect(
    again.flat().every((ok) => ok === 0),
    'a second completion is refused',
  );

  return {
    submitUs: submit.spent.scriptUs / count,
    claimUs: claim.spent.scriptUs / count,
    completeUs: complete.spent.scriptUs / count,
    scriptUs: (submit.spent.scriptUs + claim.spent.scriptUs + complete.spent.scriptUs) / count,
    cpuUs: (submit.spent.cpuUs + claim.spent.cpuUs + complete.spent.cpuUs) / count,
    waitingBytes: (waiting - empty) / count,
    finishedBytes: (finished - empty) / count,
  };
}

/** One step of `jobs` jobs, emitted in chunks of 250; then one batch of 64 is claimed and completed. */
export async function fanOut(
  server: PrivateRedis,
  sha: Record<Command, string>,
  jobs = 10_000,
): Promise<FanOut> {
  await server.clear();
  const empty = await server.dataBytes();
  const workflow = id(0, 1);
  const plan = planOf('{}');
  const start = await server.sample();
  for (let at = 0; at < jobs; at += 250) {
    const inputs = Array.from({ length: 250 }, (_, i) => [score(at + i), json(60)]).flat();
    await call(server, sha.emit, [[workflow, CLASS, 1, at, jobs, plan, inputs]]);
  }
  const emitted = await server.sample();
  const waiting = await server.dataBytes();
  const [claimed] = await call(server, sha.claim, [[CLASS, 64, AGENT, text(8)]]);
  const claimedAt = await server.sample();
  const done = chunks(claimed!, 4).map(([ref, token]) => [ref, token, '{"ok":true}']);
  const [replies] = await call(server, sha.complete, [done]);
  const end = await server.sample();
  expect(
    replies!.length === 64 && replies!.every((ok) => ok === 1),
    'every fan-out completion passes the fence',
  );
  return {
    emitUs: (emitted.scriptUs - start.scriptUs) / jobs,
    waitingBytes: (waiting - empty) / jobs,
    claimUs: (claimedAt.scriptUs - emitted.scriptUs) / 64,
    completeUs: (end.scriptUs - claimedAt.scriptUs) / 64,
  };
}

function chunks<T>(list: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  );
}

function expect(held: boolean, what: string): void {
  if (!held) throw new Error(`does not hold: ${what}`);
}
