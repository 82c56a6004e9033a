/**
 * Scenario "depth": how fast jobs are claimed with a million of them waiting in 64 classes, against a thousand in one.
 *
 * `ratio` is deep / shallow of jobs claimed a second by the claim script as the coordinator calls it, one call after the other: two
 * agents that know every class there, 64 jobs each. Either depth has a redis-server of its own; rounds are made in turn, and what a
 * round takes is filled up before the next.
 */
import type { ClaimAsk, ClaimShort, SoloItem } from '../../coordinator/queue/items.ts';
import { makeCell } from '../../coordinator/queue/keys.ts';
import { ScriptRunner } from '../../coordinator/queue/scripts.ts';
import { cellTag } from '../../coordinator/queue/slots.ts';
import { packPlan } from '../../coordinator/workflow/plan-codec.ts';
import { compileWorkflow } from '../../coordinator/workflow/spec.ts';
import { PrivateRedis } from '../layouts/server.ts';
import { inputOf } from '../support/payload.ts';
import { readOptions } from '../support/scenario.ts';
import { significant, spread } from '../support/spread.ts';

const CLASSES = 64;
const SHALLOW = 1000;
const PER_ASK = 64;
const AGENTS = ['agent_1', 'agent_2'];
/** Workflows of one submit call. */
const BATCH = 128;
const OFFER_MS = 600_000;
const ORIGIN = 'coordinator_bench';

export async function depth(argv: readonly string[]): Promise<number> {
  const options = readOptions('depth', argv, { jobs: '1000000', rounds: '5', 'warm-up': '2000' });
  if (options === undefined) return 2;
  const { jobs, rounds, warmUp, json } = options;
  const deep = await Queues.start(CLASSES);
  const shallow = await Queues.start(1);
  const rates = { deep: [] as number[], shallow: [] as number[] };
  try {
    await deep.fill(jobs);
    await shallow.fill(SHALLOW);
    await deep.claim(warmUp);
    await shallow.claim(warmUp);
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? (['deep', 'shallow'] as const) : (['shallow', 'deep'] as const);
      for (const name of order) rates[name].push(await { deep, shallow }[name].claim(SHALLOW * 20));
    }
  } finally {
    await deep.stop();
    await shallow.stop();
  }
  const [one, other] = [spread(rates.deep), spread(rates.shallow)];
  const report = {
    scenario: 'depth',
    dibs: Math.round(one.median),
    peer: Math.round(other.median),
    ratio: significant(one.median / other.median, 3),
    unit: 'claims/s',
    spread: { deep: one, shallow: other },
    deep: { jobs, classes: CLASSES },
    shallow: { jobs: SHALLOW, classes: 1 },
    rounds,
  };
  process.stdout.write(`${json ? JSON.stringify(report) : JSON.stringify(report, null, 2)}\n`);
  return 0;
}

class Queues {
  readonly #server: PrivateRedis;
  readonly #scripts: ScriptRunner;
  readonly #cell = makeCell('dibs', 0, cellTag(0, 1));
  readonly #classes: readonly string[];
  #waiting = 0;
  #depth = 0;
  #next = 0;
  #claims = 0;

  private constructor(server: PrivateRedis, classes: number) {
    this.#server = server;
    this.#scripts = new ScriptRunner(server.redis);
    this.#classes = Array.from({ length: classes }, (_, index) => `class-${index}`);
  }

  static async start(classes: number): Promise<Queues> {
    return new Queues(await PrivateRedis.start(), classes);
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }

  /** Up to this many wait, evenly in all classes. */
  async fill(jobs: number): Promise<void> {
    this.#depth = jobs;
    const calls: Promise<unknown>[] = [];
    while (this.#waiting < jobs) {
      const count = Math.min(BATCH, jobs - this.#waiting);
      const solos: SoloItem[] = [];
      const plans: Buffer[] = [];
      for (let i = 0; i < count; i++) {
        const number = this.#next++;
        const queue = this.#classes[number % this.#classes.length] as string;
        plans.push(planOf(number));
        const wid = `00${number.toString(16).padStart(6, '0').split('').toReversed().join('')}${'5'.repeat(18)}`;
        solos.push([wid, 'acme', 1000, `request-${number}`, plans.length + 1, '', queue, 1, 1]);
      }
      this.#waiting += count;
      calls.push(this.#scripts.call('submit', this.#cell, ['tag', ORIGIN, [], [], [], solos], plans));
      if (calls.length >= 64) await Promise.all(calls.splice(0));
    }
    await Promise.all(calls);
  }

  /** Claims that many, filling up whenever a tenth is gone or less than a call's worth is left; jobs per second of claiming. */
  async claim(jobs: number): Promise<number> {
    const groups = this.#classes.map(() => 1);
    const asks = AGENTS.map((agent): ClaimAsk => [agent, PER_ASK, [...this.#classes], groups, [PER_ASK]]);
    const most = AGENTS.length * PER_ASK;
    let claimed = 0;
    let tookMs = 0;
    while (claimed < jobs) {
      if (this.#waiting < Math.max(0.9 * this.#depth, most)) await this.fill(this.#depth);
      const startedAt = performance.now();
      const args = ['tag', ORIGIN, ++this.#claims, 'random', OFFER_MS, 0, asks, 0] as const;
      const [[short]] = (await this.#scripts.call('claim', this.#cell, [...args])) as [ClaimShort];
      tookMs += performance.now() - startedAt;
      const got = most - short.reduce((sum, left) => sum + left);
      if (got === 0) throw new Error('nothing was there to claim');
      claimed += got;
      this.#waiting -= got;
    }
    return (claimed / tookMs) * 1000;
  }
}

function planOf(number: number): Buffer {
  const inputJson = JSON.stringify(inputOf(number));
  const compiled = compileWorkflow(
    { steps: [{ type: 'bench', inputJson }] },
    { knownTypes: new Set(['bench']) },
  );
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return packPlan(compiled.plan);
}
