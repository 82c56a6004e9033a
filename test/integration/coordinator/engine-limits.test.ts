/** What keeps one workflow from being a burden to the others: bounded decisions, and an end where none can be made. */
import type { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import { State } from '../../../sdk/common/states.ts';
import { Classes } from '../../../coordinator/agents/classes.ts';
import { openCells } from '../../../coordinator/queue/cells.ts';
import { keys } from '../../../coordinator/queue/keys.ts';
import type { Cell } from '../../../coordinator/queue/keys.ts';
import { Reads } from '../../../coordinator/queue/reads.ts';
import type { Change } from '../../../coordinator/queue/items.ts';
import { ScriptRunner } from '../../../coordinator/queue/scripts.ts';
import { Store } from '../../../coordinator/queue/store.ts';
import { JOBS_PER_DECISION } from '../../../coordinator/workflow/draft.ts';
import { Intake } from '../../../coordinator/workflow/intake.ts';
import type { Accepted } from '../../../coordinator/workflow/intake.ts';
import { PlanCache } from '../../../coordinator/workflow/plan-cache.ts';
import { Shell } from '../../../coordinator/workflow/shell.ts';
import { readHead } from '../../../coordinator/workflow/view.ts';
import { connectRedis } from '../../../runtime/redis/connect.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';

/** Jobs that the changes among a script's arguments begin, wherever they stand. */
function jobsBegun(value: unknown): number {
  if (!Array.isArray(value)) return 0;
  if (isChange(value)) {
    const inRuns = (value[6] ?? []).map((spec) => {
      if (spec.length === 10) return 1;
      return typeof spec[5] === 'number' ? spec[5] : spec[5].length;
    });
    return inRuns.reduce((sum, jobs) => sum + jobs, value[2].length);
  }
  return value.reduce((sum: number, item) => sum + jobsBegun(item), 0);
}

function isChange(value: unknown[]): value is Change {
  const [, steps, jobs] = value;
  return (
    value.length > 5 &&
    Array.isArray(steps) &&
    Array.isArray(jobs) &&
    (jobs.length === 0 || Array.isArray(jobs[0]))
  );
}

describe('limits', () => {
  const redis = useRedis();

  async function setUp(more: object = {}): Promise<DibsClient> {
    const coordinator = await startCoordinator(redis().url, more);
    const agent = new RawAgent({
      address: coordinator.address,
      types: ['bounded'],
      credits: 2000,
      answer: () => ({ output: 1 }),
    });
    const client = createClient({ address: coordinator.address });
    onTestFinished(async () => {
      agent.close();
      client[Symbol.dispose]();
      await coordinator.stop();
    });
    await agent.welcomed;
    return client;
  }

  test('forty wide fan-outs at once are begun by short scripts, and all come to their end', async () => {
    const client = await setUp();
    const call = vi.spyOn(ScriptRunner.prototype, 'call');
    const steps = Array.from({ length: 40 }, () => ({ type: 'bounded', forEach: { items: 100 }, input: {} }));
    const { workflow } = await client.submit({ steps });
    const { status } = await client.wait(workflow.id);
    expect(status).toBe('succeeded');
    const widths = call.mock.calls.map(([, , args]) => jobsBegun(args));
    expect(widths.reduce((sum, width) => sum + width)).toBe(4000);
    expect(Math.max(...widths)).toBeLessThanOrEqual(JOBS_PER_DECISION);
  }, 60_000);

  test("a workflow's timeout of one second is decided as soon as it has passed", async () => {
    const client = await setUp({ times: { dueMs: 200 } });
    const began = performance.now();
    const { workflow } = await client.submit({
      timeout: '1s',
      allowUnknownTypes: true,
      steps: [{ type: 'nobody-runs-this', input: {} }],
    });
    const { status } = await client.wait(workflow.id);
    expect(status).toBe('expired');
    expect(performance.now() - began).toBeLessThan(2500);
  }, 20_000);

  describe('without a coordinator', () => {
    test('a workflow whose decision throws ends as INTERNAL, and is no longer waiting', async () => {
      const { store, reads, submit, cell, raw } = await parts(redis().url);
      const errors: unknown[] = [];
      const shell = new Shell({
        store,
        reads,
        cost: () => {
          throw new Error('a bug');
        },
        random: () => 0,
        onError: (error) => errors.push(error),
      });
      const wid = await submit('throws');
      expect(await raw.zscore(keys.todo(cell), wid)).not.toBeNull();
      await shell.settle(wid);
      const view = readHead((await reads.head(cell, wid)) as Buffer);
      expect(view).toMatchObject({ state: State.failed, reason: 'INTERNAL', openSteps: 0 });
      expect(errors).toEqual([expect.objectContaining({ message: 'a bug' })]);
      expect(await raw.zscore(keys.todo(cell), wid)).toBeNull();
    });

    test('a workflow that stays undecided goes to the end of the line; one that is gone leaves it', async () => {
      const { store, submit, cell, raw } = await parts(redis().url);
      const wid = await submit('stays');
      await raw.zadd(keys.todo(cell), 1, wid, 2, wid.replace(/.{6}$/, 'f00d00'));
      expect((await store.due(cell, 2000))[1]).toEqual([wid]);
      expect((await store.due(cell, 2000))[1]).toEqual([]);
      expect(await raw.zrange(keys.todo(cell), '0', '-1')).toEqual([wid]);
    });

    test('a timer that makes a decision due names its workflow in the same call', async () => {
      const { store, submit, cell, raw } = await parts(redis().url);
      const wid = await submit('late', { timeout: 60_000 });
      await raw.zadd(keys.timers(cell), 1, `expire|${wid}`);
      expect((await store.due(cell, 600_000))[1]).toEqual([wid]);
    });
  });
});

/** A store with a workflow that its first decision could only begin. */
async function parts(url: string) {
  const raw = (await connectRedis({ target: url, name: 'test' })) as Redis;
  onTestFinished(() => raw.disconnect());
  await raw.flushall();
  const cells = await openCells(raw, { namespace: 'limits', count: 1, masters: 1 });
  const clock = { now: () => performance.now(), sleep: async () => {} };
  const store = new Store({
    redis: raw,
    cells,
    origin: 'test',
    clock,
    leaseMs: 120_000,
    offerMs: 15_000,
    avoidMs: 5000,
  });
  const reads = new Reads(raw);
  const classes = new Classes(raw, 'limits', cells);
  const intake = new Intake({
    store,
    reads,
    classes,
    plans: new PlanCache(),
    costOf: () => 1,
    weightOf: () => 1000,
    maxBandOf: () => 2,
  });
  const submit = async (requestId: string, more: { readonly timeout?: number } = {}): Promise<string> => {
    const plan = await intake.compile('default', {
      allowUnknownTypes: true,
      ...(more.timeout === undefined ? {} : { timeoutMs: more.timeout }),
      steps: [
        {
          type: 'any',
          inputJson: '{"i":{"$ref":"item"}}',
          forEach: { itemsJson: '600' },
        },
      ],
    });
    const accepted = await new Promise<Accepted>((done, failed) =>
      intake.submit('tenant', requestId, plan, false, done, failed),
    );
    return accepted.wid;
  };
  return { store, reads, submit, cell: cells[0] as Cell, raw };
}
