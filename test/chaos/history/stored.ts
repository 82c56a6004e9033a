/**
 * Everything the store holds at the end of a run, read from Redis itself, past every coordinator: workflows with their
 * whole logs and jobs, and what must not be left over.
 */
import { ScriptRunner } from '../../../coordinator/queue/scripts.ts';
import { Reads } from '../../../coordinator/queue/reads.ts';
import type { JobRecord } from '../../../coordinator/queue/reads.ts';
import { openCells } from '../../../coordinator/queue/cells.ts';
import { jobId, jobRef, keys, workflowId } from '../../../coordinator/queue/keys.ts';
import type { Cell } from '../../../coordinator/queue/keys.ts';
import { expandEntries } from '../../../coordinator/events/log-entries.ts';
import type { LogEntry, LoggedEvent } from '../../../coordinator/events/log-entries.ts';
import { stepOutput } from '../../../coordinator/workflow/outputs.ts';
import { PlanCache } from '../../../coordinator/workflow/plan-cache.ts';
import type { Plan } from '../../../coordinator/workflow/plan.ts';
import { addChunk, readHead } from '../../../coordinator/workflow/view.ts';
import type { StepView, WorkflowView } from '../../../coordinator/workflow/view.ts';
import { STEPS_PER_CHUNK } from '../../../coordinator/queue/records.ts';
import { Cluster } from 'ioredis';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';
import { stateName } from '../../../sdk/common/states.ts';
import { isTerminal } from '../../../sdk/common/states.ts';

export interface StoredJob extends JobRecord {
  readonly id: string;
  readonly step: number;
  readonly ordinal: number;
}

export interface StoredStep {
  readonly name: string;
  readonly view: StepView;
  /** Indexes of the steps it waits for. */
  readonly needs: readonly number[];
  readonly jobs: readonly StoredJob[];
  /** JSON text; '' unless it succeeded. */
  readonly output: string;
}

export interface StoredWorkflow {
  readonly id: string;
  readonly requestId: string;
  readonly status: string;
  readonly view: WorkflowView;
  readonly steps: readonly StoredStep[];
  readonly events: readonly LoggedEvent[];
}

export interface Stored {
  readonly workflows: ReadonlyMap<string, StoredWorkflow>;
  /** Entries of sets that must be empty when every workflow has ended: "leases: job_…". */
  readonly leftover: readonly string[];
  /** Results that came too late, as the cells counted them. */
  readonly wasted: number;
}

/** Workflows read at once. */
const AT_ONCE = 64;
const ALL = 1_000_000_000;

export async function readStored(redisUrl: string, namespace = 'dibs'): Promise<Stored> {
  const redis = await connectRedis({ target: redisUrl, name: 'chaos-checker' });
  try {
    const cells = await cellsOf(redis, namespace);
    const workflows = new Map<string, StoredWorkflow>();
    const leftover: string[] = [];
    let wasted = 0;
    const from = { reads: new Reads(redis), scripts: new ScriptRunner(redis) };
    for (const cell of cells) {
      const { heads, orphans } = await idsIn(redis, cell);
      leftover.push(...orphans);
      for (let at = 0; at < heads.length; at += AT_ONCE) {
        const page = heads.slice(at, at + AT_ONCE);
        for (const workflow of await Promise.all(page.map((wid) => readWorkflow({ ...from, cell }, wid))))
          workflows.set(workflow.id, workflow);
      }
      leftover.push(...(await setsIn(redis, cell)));
      wasted += Number((await redis.hget(keys.meta(cell), 'wasted')) ?? 0);
    }
    return { workflows, leftover, wasted };
  } finally {
    await closeRedis(redis);
  }
}

/** Ids of workflows, and fields of records that belong to none. */
async function idsIn(redis: RedisConnection, cell: Cell): Promise<{ heads: string[]; orphans: string[] }> {
  const fields: string[] = [];
  for (const digit of '0123456789abcdef') {
    const names = await redis.hkeys(`${cell.prefix}w:${digit}`);
    fields.push(...names);
  }
  const heads = fields.filter((field) => field.length === 26);
  const known = new Set(heads);
  const orphans = fields
    .filter((field) => !known.has(field.slice(0, 26)))
    .map((field) => `record without a workflow: ${field}`);
  return { heads, orphans };
}

/** Entries of the sets that are empty when there is no work. */
export async function readLeftover(redisUrl: string, namespace = 'dibs'): Promise<string[]> {
  const redis = await connectRedis({ target: redisUrl, name: 'chaos-checker' });
  try {
    const cells = await cellsOf(redis, namespace);
    return (await Promise.all(cells.map((cell) => setsIn(redis, cell)))).flat();
  } finally {
    await closeRedis(redis);
  }
}

function cellsOf(redis: RedisConnection, namespace: string): Promise<readonly Cell[]> {
  const masters = redis instanceof Cluster ? redis.nodes('master').length : 1;
  return openCells(redis, { namespace, count: 0, masters });
}

async function setsIn(redis: RedisConnection, cell: Cell): Promise<string[]> {
  const left: string[] = [];
  const note = async (what: string, key: string): Promise<void> => {
    for (const member of await redis.zrange(key, '0', '19')) left.push(`${what}: ${member}`);
  };
  await note('offers', keys.offers(cell));
  await note('leases', keys.leases(cell));
  await note('todo', keys.todo(cell));
  await note('timers', keys.timers(cell));
  for (const name of Object.keys(await redis.hgetall(keys.classes(cell))))
    await note(`queue ${name}`, keys.queue(cell, name));
  return left;
}

interface From {
  readonly reads: Reads;
  readonly scripts: ScriptRunner;
  readonly cell: Cell;
}

async function readWorkflow({ reads, scripts, cell }: From, wid: string): Promise<StoredWorkflow> {
  const [[, head, ...entries], found] = await Promise.all([
    scripts.call('log', cell, [wid, 0, ALL, '']) as Promise<[unknown, Buffer, ...LogEntry[]]>,
    reads.headAndPlan(cell, wid),
  ]);
  if (found === undefined) throw new Error(`${wid} has no plan.`);
  const view = readHead(head);
  const plan = new PlanCache().get(wid, found.plan);
  await loadSteps(reads, cell, wid, view);
  const steps = await Promise.all(
    plan.steps.map((_, index) => readStep(reads, cell, wid, plan, view, index)),
  );
  return {
    id: workflowId(wid),
    requestId: view.requestId,
    status: stateName(view.state),
    view,
    steps,
    events: expandEntries(entries),
  };
}

async function loadSteps(reads: Reads, cell: Cell, wid: string, view: WorkflowView): Promise<void> {
  const chunks = Math.ceil(view.stepCount / STEPS_PER_CHUNK);
  const numbers = Array.from({ length: Math.max(0, chunks - 1) }, (_, index) => index + 1);
  for (const [number, bytes] of await reads.chunks(cell, wid, numbers)) addChunk(view, number, bytes);
}

async function readStep(
  reads: Reads,
  cell: Cell,
  wid: string,
  plan: Plan,
  view: WorkflowView,
  index: number,
): Promise<StoredStep> {
  const { name, needs, fanOut } = plan.steps[index] as Plan['steps'][number];
  const step = view.steps[index] as StepView;
  const records = await reads.jobs(cell, wid, index, 0, step.nextJob);
  const jobs = records.flatMap((record, ordinal) =>
    record === undefined ? [] : [{ ...record, id: jobId(jobRef(wid, index, ordinal)), step: index, ordinal }],
  );
  const succeeded = isTerminal(step.state) && stateName(step.state) === 'succeeded';
  const output = succeeded && step.total >= 0 ? stepOutput(records, step.total, fanOut !== null) : '';
  return { name, view: step, needs, jobs, output };
}
