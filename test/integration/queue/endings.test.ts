/**
 * The engine over the real scripts: whatever agents do, however many facts one decision sees, every workflow ends, once,
 * and leaves nothing behind.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SoloItem } from '../../../coordinator/queue/items.ts';
import { keys } from '../../../coordinator/queue/keys.ts';
import { Reads } from '../../../coordinator/queue/reads.ts';
import { ScriptRunner } from '../../../coordinator/queue/scripts.ts';
import { Store } from '../../../coordinator/queue/store.ts';
import { begin } from '../../../coordinator/workflow/engine.ts';
import { packPlan } from '../../../coordinator/workflow/plan-codec.ts';
import type { Plan } from '../../../coordinator/workflow/plan.ts';
import { Shell } from '../../../coordinator/workflow/shell.ts';
import { compileWorkflow } from '../../../coordinator/workflow/spec.ts';
import { freshView } from '../../../coordinator/workflow/view.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { isTerminalEvent } from '../../../sdk/common/events.ts';
import { isTerminal } from '../../../sdk/common/states.ts';
import { step } from '../../support/engine-world.ts';
import { useRedis } from '../../support/redis.ts';
import { failure, success } from './changes.ts';
import { LEASE_MS, OFFER_MS, World, readJobRow } from './world.ts';
import type { Granted } from './world.ts';

const redis = useRedis();
let connection: RedisConnection;
beforeAll(async () => {
  connection = await connectRedis({ target: redis().url, name: 'test' });
});
afterAll(() => closeRedis(connection));

const clock = { now: () => 0, sleep: () => Promise.resolve() };

interface Shape {
  readonly failMode: number;
  readonly steps: readonly { needs: number[]; jobs: number | undefined; retries: number }[];
}

/** One workflow under way, with everything that may happen to it. */
class Life {
  readonly wid: string;
  readonly #world: World;
  readonly #shell: Shell;
  readonly errors: unknown[] = [];
  #plan: Plan | undefined;
  #held: Granted[] = [];

  constructor(world: World) {
    this.#world = world;
    this.wid = world.wid('life');
    const { redis: use, cell } = world;
    const store = new Store({
      redis: use,
      cells: [cell],
      origin: 'c1',
      clock,
      leaseMs: LEASE_MS,
      offerMs: OFFER_MS,
      avoidMs: 5000,
    });
    this.#shell = new Shell({
      store,
      reads: new Reads(use),
      cost: () => 1,
      random: () => 0.5,
      onError: (error) => this.errors.push(error),
    });
  }

  async begin({ failMode, steps }: Shape): Promise<void> {
    const compiled = compileWorkflow(
      {
        allowUnknownTypes: true,
        failMode,
        steps: steps.map(({ needs, jobs, retries }, index) =>
          step(`s${index}`, index === 0 ? [] : [...new Set(needs.map((need) => `s${need % index}`))], {
            retries,
            ...(jobs === undefined ? {} : { forEach: { itemsJson: String(jobs) } }),
          }),
        ),
      },
      { knownTypes: new Set(), costOf: () => 1 },
    );
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    const { plan } = compiled;
    this.#plan = plan;
    const [only, second] = plan.steps;
    // As intake does: one plain job is a solo record.
    if (only !== undefined && second === undefined && only.fanOut === null) {
      const { queue, band, cost } = only;
      const item: SoloItem = [this.wid, 'acme', 1000, 'life', 0, '', queue, band, cost];
      return void (await this.#world.submitSolos({ item, plan: packPlan(plan) }));
    }
    const needs = plan.steps.map((each) => each.needs.length);
    const decision = begin(plan, freshView(needs, 'acme'), {
      output: () => undefined,
      cost: () => 1,
      retryDelayMs: () => 500,
    });
    if (decision.kind !== 'decided') throw new Error('undecided');
    await this.#world.submit({
      item: [this.wid, 'acme', 1000, 'life', 0, needs, '', decision.change, 0],
      plan: packPlan(plan),
      classes: [],
    });
  }

  async act(how: number, which: number): Promise<void> {
    const w = this.#world;
    const held = this.#held[which % this.#held.length];
    switch (how % 12) {
      case 0:
      case 1:
        this.#held.push(...(await w.take(`agent${which % 3}`, 1 + (which % 3), 'test')));
        return;
      case 2:
      case 3:
        return held && this.#succeed(held, which % 2 === 0);
      case 4:
      case 5:
        return held && void (await w.complete(failure(held, 'BOOM', which % 3 > 0)));
      case 6:
        return held && void (await w.release([held.ref, held.token, 'BUSY']));
      case 7:
        if (held === undefined || (await w.accept([held.ref, held.token, 0, 0]))[0] !== 'ok') return;
        await w.makeDue(keys.leases(w.cell), held.ref);
        return void (await w.sweep({ recoveries: 1 }));
      case 8:
        return this.#backoffs();
      case 9:
        if (which % 6 === 0) await w.control(this.wid);
        return;
      default:
        return this.#shell.settle(this.wid);
    }
  }

  /** With the decision that follows, where it can be made ahead, as a coordinator does. */
  async #succeed(held: Granted, ahead: boolean): Promise<void> {
    const { ref, head } = held;
    const plan = this.#plan;
    const made =
      ahead && head !== undefined && plan !== undefined
        ? this.#shell.speculate(plan, head, Number(ref.split('-')[1]), '{}')
        : undefined;
    await this.#world.complete(success(held, '{}', made));
  }

  async #backoffs(): Promise<void> {
    const w = this.#world;
    const timers = (await w.zset(keys.timers(w.cell))).filter((timer) => timer.startsWith('backoff|'));
    for (const timer of timers) await w.makeDue(keys.timers(w.cell), timer);
    await w.due();
  }

  settle(): Promise<void> {
    return this.#shell.settle(this.wid);
  }

  /** Everybody behaves from now on. */
  async finish(): Promise<void> {
    for (let round = 0; !isTerminal((await this.#world.head(this.wid)).state); round++) {
      if (round > 60) throw new Error(`It does not end: ${JSON.stringify(await this.#world.head(this.wid))}`);
      await this.#shell.settle(this.wid);
      await this.#backoffs();
      this.#held.push(...(await this.#world.take('agent', 50, 'test')));
      for (const held of this.#held) await this.#world.complete(success(held));
      this.#held = [];
    }
    // What is late may still come.
    await this.#backoffs();
    await this.#world.take('agent', 50, 'test');
  }
}

/** What must be true of a workflow that has ended. */
async function checkEnd(w: World, wid: string): Promise<void> {
  const head = await w.head(wid);
  expect(head.openSteps).toBe(0);
  for (const at of head.steps) {
    expect(isTerminal(at?.state ?? 0)).toBe(true);
    expect(at?.open).toBe(0);
  }
  const events = await w.events(wid);
  expect(events.map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: head.sequence }, (_, i) => i + 1),
  );
  expect(events.filter(({ type }) => isTerminalEvent(type))).toHaveLength(1);
  expect(isTerminalEvent(events.at(-1)?.type ?? '')).toBe(true);
  const records = await w.redis.hgetallBuffer(keys.bucket(w.cell, wid));
  for (const [field, bytes] of Object.entries(records)) {
    if (field.includes('-'))
      expect(isTerminal(readJobRow(bytes).state), `${field} outlived its workflow`).toBe(true);
  }
  for (const key of [
    keys.queue(w.cell, 'test'),
    keys.offers(w.cell),
    keys.leases(w.cell),
    keys.todo(w.cell),
  ]) {
    expect(await w.zset(key), `left in ${key}`).toEqual([]);
  }
}

const shape = fc.record({
  failMode: fc.integer({ min: 1, max: 3 }),
  steps: fc.array(
    fc.record({
      needs: fc.array(fc.nat({ max: 5 }), { maxLength: 3 }),
      jobs: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
      retries: fc.integer({ min: 0, max: 2 }),
    }),
    { minLength: 1, maxLength: 5 },
  ),
});
const choice = fc.noBias(fc.nat({ max: 5000 }));
const acts = fc.array(fc.tuple(choice, choice), { maxLength: 60, size: 'max' });

/** `promptly`: a decision follows each fact; otherwise one decision may see several. */
function endings(promptly: boolean) {
  const scripts = new ScriptRunner(connection);
  return fc.asyncProperty(shape, acts, async (made, moves) => {
    await connection.flushall();
    const world = new World(connection, scripts, redis().url);
    const life = new Life(world);
    await life.begin(made);
    for (const [how, which] of moves) {
      await life.act(how, which);
      if (promptly) await life.settle();
    }
    await life.finish();
    expect(life.errors).toEqual([]);
    await checkEnd(world, life.wid);
  });
}

// DIBS_WALKS=5000 for a long look.
const numRuns = Number(process.env['DIBS_WALKS'] ?? 40);

test('every workflow ends once, and leaves nothing behind', async () => {
  await expect(fc.assert(endings(true), { numRuns })).resolves.toBeUndefined();
});

test('the same where one decision sees several facts', async () => {
  await expect(fc.assert(endings(false), { numRuns })).resolves.toBeUndefined();
});
