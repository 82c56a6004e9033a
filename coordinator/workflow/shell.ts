/**
 * The engine's shell: loads what a decision needs, lets the pure engine decide, commits, and repeats until nothing is
 * left to decide.
 *
 * Invariants:
 * 1. A decision is made from one read of head and chunks and committed by compare-and-set; on a conflict everything
 *    is read again.
 * 2. Any coordinator may settle any workflow at any time; the `todo` set repairs what a crash left.
 * 3. `speculate` decides ahead from the view a claim brought; it never loads anything.
 */
import { isTerminal } from '../../sdk/common/states.ts';
import type { Change } from '../queue/items.ts';
import { STEPS_PER_CHUNK } from '../queue/records.ts';
import type { Reads } from '../queue/reads.ts';
import type { Store } from '../queue/store.ts';
import { decide } from './engine.ts';
import type { DecisionEnv } from './engine.ts';
import { stepOutput } from './outputs.ts';
import { unpackPlan } from './plan-codec.ts';
import type { Plan } from './plan.ts';
import { addChunk, readHead } from './view.ts';
import type { WorkflowView } from './view.ts';

/** Conflicts in a row after which the due loop takes over. */
const MAX_CONFLICTS = 20;

/** What `speculate` adds to a completion. */
export interface AheadDecision {
  readonly version: number;
  readonly facts: number;
  readonly change: Change;
  readonly seen: number[];
}

export interface ShellOptions {
  readonly store: Store;
  readonly reads: Reads;
  /** Cost of a job where the consumer gave none. */
  readonly cost: (type: string, inputJson: string) => number;
  /** 0 to 1. */
  readonly random: () => number;
  /** Told of errors nobody waits for. */
  readonly onError: (error: unknown, wid: string) => void;
}

export class Shell {
  /** A workflow ended by a decision made here. */
  onEnded: (wid: string) => void = () => {};
  readonly #store: Store;
  readonly #reads: Reads;
  readonly #cost: (type: string, inputJson: string) => number;
  readonly #random: () => number;
  readonly #onError: (error: unknown, wid: string) => void;
  /** Workflows being settled here, and whether they must be looked at again. */
  readonly #settling = new Map<string, { again: boolean; done: Promise<void> }>();

  constructor(options: ShellOptions) {
    this.#store = options.store;
    this.#reads = options.reads;
    this.#cost = options.cost;
    this.#random = options.random;
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
    let plan: Plan | undefined;
    const outputs = new Map<number, string>();
    for (let conflicts = 0; conflicts < MAX_CONFLICTS;) {
      const loaded = await this.#reads.headAndPlan(cell, wid);
      if (loaded === undefined) return;
      plan ??= unpackPlan(loaded.plan);
      const view = readHead(loaded.head);
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
    const cell = this.#store.cellOf(wid);
    const env = this.#env((step) => outputs.get(step));
    for (;;) {
      const decision = decide(plan, view, env);
      if (decision.kind === 'decided') return decision;
      const chunks = [...new Set(decision.steps.map((step) => Math.floor(step / STEPS_PER_CHUNK)))];
      for (const [number, packed] of await this.#reads.chunks(cell, wid, chunks))
        addChunk(view, number, packed);
      for (const step of decision.outputs) {
        outputs.set(step, await this.output(wid, plan, view, step));
      }
    }
  }

  /** Output of a finished step as JSON text; its chunk must be in the view. */
  async output(wid: string, plan: Plan, view: WorkflowView, step: number): Promise<string> {
    const state = view.steps[step];
    if (state === undefined || state.total === 0) return '{"items":[]}';
    const jobs = await this.#reads.jobs(this.#store.cellOf(wid), wid, step, 0, state.nextJob);
    return stepOutput(jobs, state.total, plan.steps[step]?.fanOut !== null);
  }

  /**
   * The decision that follows when this job succeeds, if it is its step's only open one and nothing must be loaded.
   * `view` is the workflow as the claim left it.
   */
  speculate(plan: Plan, view: WorkflowView, step: number, outputJson: string): AheadDecision | undefined {
    const seen = view.steps[step];
    if (seen?.open !== 1 || seen.emitted !== seen.total || seen.fails.length > 0) return undefined;
    const steps = view.steps.slice();
    steps[step] = { ...seen, open: 0, ok: seen.ok + 1, state: 4 };
    const dirty = view.dirty.includes(step) ? view.dirty : [...view.dirty, step];
    const whole = seen.total === 1 && plan.steps[step]?.fanOut === null;
    const env = this.#env((index) => (index === step && whole ? outputJson : undefined));
    const decision = decide(plan, { ...view, steps, dirty }, env);
    if (decision.kind !== 'decided') return undefined;
    return { version: view.version, facts: view.facts, change: decision.change, seen: decision.seen };
  }

  #env(output: (step: number) => string | undefined): DecisionEnv {
    return { output, cost: this.#cost, jitter: this.#random };
  }
}
