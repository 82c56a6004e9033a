// What the coordinator sends for a workflow, made by its own code: compile, first decision, completion with the decision ahead.
import { Completions } from '../../coordinator/agents/completions.ts';
import type { Classes } from '../../coordinator/agents/classes.ts';
import { Verdict } from '../../proto/gen/index.ts';
import type { JobCompletion__Output } from '../../proto/gen/index.ts';
import type { CompleteItem, Grant } from '../../coordinator/queue/items.ts';
import type { Cell } from '../../coordinator/queue/keys.ts';
import { jobRef, parseSlice } from '../../coordinator/queue/keys.ts';
import { tokenAfter } from '../../coordinator/queue/runs.ts';
import type { HeldJob } from '../../coordinator/agents/held-jobs.ts';
import type { Reads } from '../../coordinator/queue/reads.ts';
import type { Store, Submission } from '../../coordinator/queue/store.ts';
import { Intake } from '../../coordinator/workflow/intake.ts';
import { PlanCache } from '../../coordinator/workflow/plan-cache.ts';
import { Shell } from '../../coordinator/workflow/shell.ts';
import { compileWorkflow } from '../../coordinator/workflow/spec.ts';
import type { WorkflowSpecInput } from '../../coordinator/workflow/spec-input.ts';
import { readHead } from '../../coordinator/workflow/view.ts';

export const ORIGIN = 'coordinator_bench';
const TYPES = new Set(['echo']);

/** A store that keeps what it is given. */
class Catcher {
  readonly origin = ORIGIN;
  readonly cells: readonly Cell[];
  submission: Submission | undefined;
  completion: CompleteItem | undefined;

  constructor(cell: Cell) {
    this.cells = [cell];
  }

  cellOf(): Cell {
    return this.cells[0] as Cell;
  }

  submit(_wid: string, submission: Submission): void {
    this.submission = submission;
  }

  complete(_wid: string, item: CompleteItem): void {
    this.completion = item;
  }
}

export class Flows {
  readonly #catcher: Catcher;
  readonly #intake: Intake;
  readonly #completions: Completions;
  readonly #plans = new PlanCache();
  #count = 0;

  constructor(cell: Cell, reads: Reads) {
    this.#catcher = new Catcher(cell);
    const store = this.#catcher as unknown as Store;
    const classes = {
      types: TYPES,
      isRegistered: () => true,
      registered: () => {},
      learn: () => {},
    } as unknown as Classes;
    this.#intake = new Intake({
      store,
      reads,
      classes,
      plans: this.#plans,
      costOf: () => 1,
      weightOf: () => 1000,
      maxBandOf: () => 2,
    });
    const shell = new Shell({ store, reads, cost: () => 1, random: () => 0, onError: () => {} });
    this.#completions = new Completions({ store, shell, onHeard: () => 'count', onEnded: () => {} });
  }

  submission(spec: WorkflowSpecInput): Submission {
    const compiled = compileWorkflow(spec, {
      knownTypes: TYPES,
      costOf: () => 1,
    });
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    const requestId = `request-${this.#count++}`;
    this.#intake.submit(
      'default',
      requestId,
      compiled.plan,
      true,
      () => {},
      () => {},
    );
    return this.#catcher.submission as Submission;
  }

  /** Completions of everything a claim brought. */
  completions(reply: readonly unknown[], outputJson: () => string): CompleteItem[] {
    const items: CompleteItem[] = [];
    for (let i = 1; i < reply.length;) {
      const [, text, first, , , , , hasHead] = reply[i++] as Grant;
      const view = hasHead ? readHead(reply[i++] as Buffer) : undefined;
      const { wid, step, ordinal, count } = parseSlice(text);
      for (let at = 0; at < count; at++) {
        const ref = jobRef(wid, step, ordinal + at);
        const plan = this.#plans.find(wid);
        const job = {
          ref,
          token: tokenAfter(first, at),
          agentId: '',
          onTrial: false,
          wid,
          step,
          plan,
          view,
          inRun: count > 1,
          cost: 0,
          progressAt: 0,
          preparedAt: 0,
        };
        items.push(this.#completion(job, outputJson()));
      }
    }
    return items;
  }

  #completion(job: HeldJob, outputJson: string): CompleteItem {
    const said = {
      verdict: Verdict.VERDICT_SUCCEEDED,
      outputJson,
      runMs: 5,
      startedAgeMs: -7,
      outcome: null,
    };
    this.#completions.store(
      job,
      said as unknown as JobCompletion__Output,
      () => {},
      () => {},
    );
    return this.#catcher.completion as CompleteItem;
  }
}
