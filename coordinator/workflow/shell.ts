/**
 * The engine's shell: loads what a decision needs, lets the pure engine decide, commits, and repeats until nothing is
 * left to decide.
 *
 * Invariants:
 * 1. A decision is made from one read of head and chunks and committed by compare-and-set; on a conflict everything
 *    is read again.
 * 2. Any coordinator may settle any workflow at any time; the `todo` set repairs what a crash left.
 * 3. `speculate` decides ahead from the view a claim brought; it never loads anything.
 * 4. A workflow whose decision throws ends as INTERNAL; what the store throws ends nothing.
 */
import { State, isTerminal } from '../../sdk/common/states.ts';
import type { Change } from '../queue/items.ts';
import { STEPS_PER_CHUNK } from '../queue/records.ts';
import type { Reads } from '../queue/reads.ts';
import type { Store } from '../queue/store.ts';
import { abandon, decide } from './engine.ts';
import type { Decision, DecisionEnv } from './engine.ts';
import { DEFAULT_BACKOFF, retryDelayMs } from './backoff.ts';
import type { RetryBackoff } from './backoff.ts';
import { stepOutput } from './outputs.ts';
import type { JobOutput } from './outputs.ts';
import { PlanCache } from './plan-cache.ts';
import type { Plan } from './plan.ts';
import { addChunk, readHead } from './view.ts';
import type { WorkflowView } from './view.ts';

/** Conflicts in a row after which the due loop takes over. */
const MAX_CONFLICTS = 20;
/** Steps loaded before they are asked for. */
const MAX_AHEAD = 1024;

/** What `speculate` adds to a completion. */
export interface AheadDecision {
  readonly version: number;
  readonly facts: number;
  readonly change: Change;
  readonly seen: number[];
  /** Something is left to decide once this is committed: call `settle`. */
  readonly more: boolean;
}

export interface ShellOptions {
  readonly store: Store;
  readonly reads: Reads;
  /** The coordinator's; without one the shell has its own. */
  readonly plans?: PlanCache;
  /** Cost of a job where the consumer gave none. */
  readonly cost: (type: string, inputJson: string) => number;
  /** 0 to 1. */
  readonly random: () => number;
  /** Default: the coordinator's defaults. */
  readonly backoff?: RetryBackoff;
  /** Told of errors nobody waits for. */
  readonly onError: (error: unknown, wid: string) => void;
}

export class Shell {
  /** A workflow ended by a decision made here. */
  onEnded: (wid: string) => void = () => {};
  readonly #store: Store;
  readonly #reads: Reads;
  readonly #plans: PlanCache;
  readonly #cost: (type: string, inputJson: string) => number;
  readonly #random: () => number;
  readonly #backoff: RetryBackoff;
  readonly #onError: (error: unknown, wid: string) => void;
  /** Workflows being settled here, and whether they must be looked at again. */
  readonly #settling = new Map<string, { again: boolean; done: Promise<void> }>();

  constructor(options: ShellOptions) {
    this.#store = options.store;
    this.#reads = options.reads;
    this.#plans = options.plans ?? new PlanCache();
    this.#cost = options.cost;
    this.#random = options.random;
    this.#backoff = options.backoff ?? DEFAULT_BACKOFF;
    this.#onError = options.onError;
  }

  /** Decides until nothing is left; calls for a workflow that is being settled join that. Never rejects. */
  settle(wid: string): Promise<void> {
    const running = this.#settling.get(wid);
    if (running !== undefined) {
      running.again = true;
      return running.done;
    }
    const entry = { again: true, done: Promise.resolve() };
    this.#settling.set(wid, entry);
    entry.done = (async () => {
      try {
        while (entry.again) {
          entry.again = false;
          await this.#settleOnce(wid);
        }
      } catch (error) {
        this.#onError(error, wid);
      } finally {
        this.#settling.delete(wid);
      }
    })();
    return entry.done;
  }

  async #settleOnce(wid: string): Promise<void> {
    const cell = this.#store.cellOf(wid);
    const outputs = new Map<number, string>();
    for (let conflicts = 0; conflicts < MAX_CONFLICTS;) {
      let plan = this.#plans.find(wid);
      let head: Buffer | undefined;
      if (plan === undefined) {
        const loaded = await this.#reads.headAndPlan(cell, wid);
        if (loaded === undefined) return;
        plan = this.#plans.get(wid, loaded.plan);
        head = loaded.head;
      } else head = await this.#reads.head(cell, wid);
      if (head === undefined) return;
      const view = readHead(head);
      if (isTerminal(view.state) || view.dirty.length === 0) return;
      const decision = await this.#decide(wid, plan, view, outputs);
      const [status, left, state] = await this.#store.decide(wid, [
        wid,
        view.version,
        view.facts,
        decision.change,
        decision.seen,
      ]);
      if (status === 'gone') return;
      if (isTerminal(state)) {
        this.onEnded(wid);
        return;
      }
      if (status === 'conflict') conflicts++;
      else if (left === 0) return;
      else conflicts = 0;
    }
  }

  async #decide(wid: string, plan: Plan, view: WorkflowView, outputs: Map<number, string>) {
    const env = this.#env((step) => outputs.get(step));
    await this.#loadChunks(wid, view, nextSteps(plan, view));
    let how = decide;
    const attempt = (run: () => Decision): Decision => {
      try {
        return run();
      } catch (error) {
        if (how === abandon) throw error;
        this.#onError(error, wid);
        how = abandon;
        return how(plan, view, env);
      }
    };
    for (;;) {
      let decision = attempt(() => how(plan, view, env));
      if (decision.kind === 'decided') return decision;
      await this.#loadChunks(wid, view, decision.steps);
      for (const step of decision.outputs) {
        const jobs = await this.#jobsOf(wid, view, step);
        decision = attempt(() => {
          outputs.set(step, outputOf(plan, view, step, jobs));
          return decision;
        });
      }
    }
  }

  async #loadChunks(wid: string, view: WorkflowView, steps: readonly number[]): Promise<void> {
    const holes = steps.filter((step) => view.steps[step] === undefined);
    if (holes.length === 0) return;
    const chunks = [...new Set(holes.map((step) => Math.floor(step / STEPS_PER_CHUNK)))];
    const found = await this.#reads.chunks(this.#store.cellOf(wid), wid, chunks);
    if (found.size < chunks.length) throw new Error('Steps of a workflow are missing in the store.');
    for (const [number, packed] of found) addChunk(view, number, packed);
  }

  async #jobsOf(wid: string, view: WorkflowView, step: number) {
    const state = view.steps[step];
    if (state === undefined || state.total === 0) return [];
    return this.#reads.jobs(this.#store.cellOf(wid), wid, step, 0, state.nextJob);
  }

  /**
   * The decision that follows when this job succeeds, if it is its step's only open one and nothing must be loaded.
   * `view` is the workflow as the claim left it.
   */
  speculate(plan: Plan, view: WorkflowView, step: number, outputJson: string): AheadDecision | undefined {
    const seen = view.steps[step];
    if (seen?.open !== 1 || seen.emitted !== seen.total || seen.fails.length > 0) return undefined;
    const steps = view.steps.slice();
    steps[step] = { ...seen, open: 0, ok: seen.ok + 1, state: State.processing };
    const dirty = view.dirty.includes(step) ? view.dirty : [...view.dirty, step];
    const whole = seen.total === 1 && plan.steps[step]?.fanOut === null;
    const env = this.#env((index) => (index === step && whole ? outputJson : undefined));
    let decision: Decision;
    try {
      decision = decide(plan, { ...view, steps, dirty }, env);
    } catch {
      // The fact alone goes to the store; settling it will say what is wrong.
      return undefined;
    }
    if (decision.kind !== 'decided') return undefined;
    const { change, seen: done, more } = decision;
    return { version: view.version, facts: view.facts, change, seen: done, more };
  }

  #env(output: (step: number) => string | undefined): DecisionEnv {
    return {
      output,
      cost: this.#cost,
      retryDelayMs: (attempt) => retryDelayMs(this.#backoff, attempt, this.#random()),
    };
  }
}

/** Steps a decision will look at, as far as its news tell. */
function nextSteps(plan: Plan, view: WorkflowView): number[] {
  const next: number[] = [];
  for (const index of view.dirty) {
    if (index < 0) continue;
    next.push(index, ...(plan.steps[index]?.dependents ?? []));
    if (next.length > MAX_AHEAD) break;
  }
  return next;
}

/** Output of a finished step as JSON text. */
function outputOf(
  plan: Plan,
  view: WorkflowView,
  step: number,
  jobs: readonly (JobOutput | undefined)[],
): string {
  const total = view.steps[step]?.total ?? 0;
  return total === 0 ? '{"items":[]}' : stepOutput(jobs, total, plan.steps[step]?.fanOut !== null);
}
