/**
 * Takes workflows in: compiles, decides the first step, stores.
 *
 * Invariants:
 * 1. The same tenant and request id name one workflow. A repeat with the same plan answers with it; one with another
 *    plan is refused with IDEMPOTENCY_KEY_REUSED.
 * 2. A workflow with mistakes is refused with all of them, before anything is stored.
 */
import { randomUUID } from 'node:crypto';
import { DibsError } from '../../sdk/common/errors.ts';
import type { Problem } from '../../sdk/common/errors.ts';
import type { Json } from '../../sdk/common/json.ts';
import { classRecord } from '../agents/classes.ts';
import type { Classes } from '../agents/classes.ts';
import type { SoloItem, SubmitItem } from '../queue/items.ts';
import { workflowKey } from '../queue/keys.ts';
import type { Reads } from '../queue/reads.ts';
import type { Store, Submission } from '../queue/store.ts';
import { begin } from './engine.ts';
import { packPlan } from './plan-codec.ts';
import type { PlanCache } from './plan-cache.ts';
import type { Plan, PlanStep } from './plan.ts';
import { compileWorkflow } from './spec.ts';
import type { CompileResult } from './spec.ts';
import type { WorkflowSpecInput } from './spec-input.ts';
import { freshView } from './view.ts';
import { PRIORITIES } from '../tenants.ts';

export interface Accepted {
  readonly wid: string;
  readonly requestId: string;
  readonly plan: Plan;
  readonly duplicate: boolean;
}

export interface IntakeOptions {
  readonly store: Store;
  readonly reads: Reads;
  readonly classes: Classes;
  readonly plans: PlanCache;
  /** A workflow was stored whose first decision is not all of its beginning. */
  readonly onMore?: (wid: string) => void;
  /** Fair-queueing weight, thousandths. */
  readonly weightOf: (tenant: string) => number;
  /** Highest band of its steps. */
  readonly maxBandOf: (tenant: string) => number;
  /** Cost of a job by the executor's formula. */
  readonly costOf: (type: string, input: Json) => number;
}

export class Intake {
  readonly #options: IntakeOptions;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Compiles; throws INVALID_WORKFLOW or INPUT_TOO_LARGE with every problem. */
  async compile(tenant: string, spec: WorkflowSpecInput | null | undefined): Promise<Plan> {
    const { classes } = this.#options;
    let result = this.#compile(tenant, spec);
    if (!result.ok && result.problems.some((problem) => problem.reason === 'UNKNOWN_STEP_TYPE')) {
      // Another coordinator's agents may have brought the type since we looked.
      await classes.refreshTypes();
      result = this.#compile(tenant, spec);
    }
    if (result.ok) return result.plan;
    throw refusal(result.problems);
  }

  /** As `compile`, when it needs no look at the store; undefined otherwise. Hot path of the submit stream. */
  compileNow(tenant: string, spec: WorkflowSpecInput | null | undefined): Plan | undefined {
    const result = this.#compile(tenant, spec);
    return result.ok ? result.plan : undefined;
  }

  /** Local id that a request names. */
  widOf(tenant: string, requestId: string): string {
    return workflowKey(tenant, requestId, this.#options.store.cells.length);
  }

  /** Stores a compiled workflow. `watch`: this coordinator wants to hear of its end. */
  submit(
    tenant: string,
    requestId: string,
    plan: Plan,
    watch: boolean,
    done: (accepted: Accepted) => void,
    failed: (error: unknown) => void,
  ): void {
    const { store, classes, plans } = this.#options;
    const id = requestId === '' ? randomUUID() : requestId;
    const wid = this.widOf(tenant, id);
    const { submission, more } = this.#submission(tenant, id, wid, plan, watch);
    plans.put(wid, plan);
    store.submit(
      wid,
      submission,
      ([status]) => {
        for (const [name] of submission.classes) classes.registered(store.cellOf(wid), name);
        if (status === 'created' && more) this.#options.onMore?.(wid);
        if (status === 'created') done({ wid, requestId: id, plan, duplicate: false });
        else this.#repeated(tenant, id, wid, plan, submission.plan).then(done, failed);
      },
      failed,
    );
  }

  #compile(tenant: string, spec: WorkflowSpecInput | null | undefined): CompileResult {
    const { classes, costOf, maxBandOf } = this.#options;
    const result = compileWorkflow(spec ?? {}, { knownTypes: classes.types, costOf });
    if (!result.ok) return result;
    const most = maxBandOf(tenant);
    const problems = result.plan.steps.flatMap(({ index, band }): Problem[] =>
      band <= most
        ? []
        : [
            {
              path: `steps[${index}].priority`,
              reason: 'OUT_OF_RANGE',
              message: `is at most ${PRIORITIES[most]} for this tenant`,
            },
          ],
    );
    return problems.length === 0 ? result : { ok: false, problems };
  }

  /** `more`: the first decision could not do all there is to begin. */
  #submission(
    tenant: string,
    requestId: string,
    wid: string,
    plan: Plan,
    watch: boolean,
  ): { submission: Submission; more: boolean } {
    const { store, classes } = this.#options;
    const cell = store.cellOf(wid);
    const fresh: [string, string][] = [];
    for (const step of plan.steps) {
      if (classes.isRegistered(cell, step.queue)) continue;
      fresh.push([step.queue, classRecord(step.type, step.requirement)]);
      classes.learn(cell, step.queue, step.type, step.requirement);
    }
    const origin = watch ? store.origin : '';
    const common = { plan: packPlan(plan), classes: fresh };
    const only = plan.steps.length === 1 ? plan.steps[0] : undefined;
    if (only !== undefined && isPlain(plan, only)) {
      const item: SoloItem = [
        wid,
        tenant,
        this.#options.weightOf(tenant),
        requestId,
        0,
        origin,
        only.queue,
        only.band,
        only.cost,
      ];
      return { submission: { ...common, item, solo: true }, more: false };
    }
    const needs = plan.steps.map((step) => step.needs.length);
    const decision = begin(plan, freshView(needs, tenant), {
      output: () => undefined,
      cost: (type, inputJson) => this.#options.costOf(type, JSON.parse(inputJson) as Json),
      retryDelayMs: () => 0,
    });
    if (decision.kind !== 'decided')
      throw new Error('The first decision of a workflow needs nothing loaded.');
    const item: SubmitItem = [
      wid,
      tenant,
      this.#options.weightOf(tenant),
      requestId,
      0,
      needs,
      origin,
      decision.change,
      plan.timeoutMs,
    ];
    return { submission: { ...common, item, solo: false }, more: decision.more };
  }

  async #repeated(
    tenant: string,
    requestId: string,
    wid: string,
    plan: Plan,
    packed: Buffer,
  ): Promise<Accepted> {
    const { store, reads } = this.#options;
    const known = await reads.headAndPlan(store.cellOf(wid), wid);
    if (known === undefined)
      throw new DibsError('STORE_UNAVAILABLE', 'The workflow is being removed.', { retryAfterMs: 1000 });
    if (!known.plan.equals(packed)) {
      throw new DibsError(
        'IDEMPOTENCY_KEY_REUSED',
        `The request id "${requestId}" was used for another workflow.`,
        {
          metadata: { requestId, workflowId: `wf_${wid}`, tenant },
        },
      );
    }
    return { wid, requestId, plan, duplicate: true };
  }
}

/** One job, known now, without timers of its own: nothing about it needs a decision unless it fails. */
function isPlain(plan: Plan, only: PlanStep): boolean {
  return (
    only.fanOut === null &&
    only.input.kind === 'literal' &&
    only.cost > 0 &&
    only.queueTimeoutMs === 0 &&
    plan.timeoutMs === 0
  );
}

function refusal(problems: readonly Problem[]): DibsError {
  const onlyTooLarge = problems.every((problem) => problem.reason === 'INPUT_TOO_LARGE');
  const first = problems[0];
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return new DibsError(
    onlyTooLarge ? 'INPUT_TOO_LARGE' : 'INVALID_WORKFLOW',
    first === undefined ? 'The workflow has mistakes.' : `${first.path}: ${first.message}${more}`,
    { problems },
  );
}
