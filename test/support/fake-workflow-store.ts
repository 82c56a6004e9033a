/**
 * What a fake coordinator remembers: workflows, their event logs, artifacts. It outlives a killed fake server, as Redis
 * outlives a killed coordinator.
 *
 * Nothing runs here by itself: a test says what happens to a workflow (`emit`, `end`), or asks for `endAtOnce`.
 */
import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type {
  Event__Output as Event,
  SubmitItem__Output,
  TerminalResult__Output as TerminalResult,
  Workflow__Output as Workflow,
  WorkflowSpec__Output as Spec,
} from '../../proto/gen/index.ts';
import { codec } from '../../proto/gen/load.ts';
import type { Plain } from '../../proto/gen/load.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import { State, stateName } from '../../sdk/common/states.ts';
import type { StateName } from '../../sdk/common/states.ts';

const WORKFLOW = codec<Workflow>('dibs.v1.Workflow');
const EVENT = codec<Event>('dibs.v1.Event');
const RESULT = codec<TerminalResult>('dibs.v1.TerminalResult');
const SPEC = codec<Spec>('dibs.v1.WorkflowSpec');
const AT_MS = 1_700_000_000_000;

export interface Stored {
  readonly workflow: Workflow;
  readonly spec: Spec;
  readonly events: Event[];
  readonly bodyHash: string;
}

/** Emits `event` (workflow id), `ended` (workflow id) and `stored` (workflow id). */
export class FakeWorkflowStore extends EventEmitter {
  readonly workflows = new Map<string, Stored>();
  readonly byRequest = new Map<string, Stored>();
  readonly artifacts = new Map<string, { bytes: Buffer; name: string; mediaType: string }>();
  /** Every workflow succeeds the moment it is stored. */
  endAtOnce = false;
  #next = 1;

  constructor() {
    super();
    this.setMaxListeners(0);
  }

  /** The request id's workflow, made now if it is new. */
  submit({ requestId, workflow: spec }: Pick<SubmitItem__Output, 'requestId' | 'workflow'>): {
    stored: Stored;
    duplicate: boolean;
  } {
    if (spec === null || spec.steps.length === 0) {
      const problems = [
        { path: 'steps', reason: 'REQUIRED', message: 'a workflow has at least one step' },
      ] as const;
      throw new DibsError('INVALID_WORKFLOW', 'The workflow has a mistake.', { problems });
    }
    const bodyHash = createHash('sha256').update(SPEC.encode(spec)).digest('hex');
    const known = this.byRequest.get(requestId);
    if (known !== undefined) {
      if (known.bodyHash === bodyHash) return { stored: known, duplicate: true };
      throw new DibsError('IDEMPOTENCY_KEY_REUSED', 'The request id was used with another workflow.');
    }
    const stored = this.#make(requestId, spec, bodyHash);
    this.byRequest.set(requestId, stored);
    this.workflows.set(stored.workflow.id, stored);
    this.add(stored, { type: 'workflow.created', state: State.unassigned });
    if (this.endAtOnce) this.end(stored.workflow.id, 'succeeded');
    this.emit('stored', stored.workflow.id);
    return { stored, duplicate: false };
  }

  get(workflowId: string): Stored {
    const stored = this.workflows.get(workflowId);
    if (stored === undefined)
      throw new DibsError('WORKFLOW_NOT_FOUND', `There is no workflow ${workflowId}.`);
    return stored;
  }

  /** Adds an event of any type and changes nothing else. */
  add(stored: Stored, event: Plain<Event>): void {
    const sequence = stored.events.length + 1;
    const made = {
      ...event,
      sequence,
      cursor: `${sequence}.tag`,
      atMs: AT_MS + sequence,
      workflowId: stored.workflow.id,
    };
    stored.events.push(EVENT.decode(EVENT.encode(made)));
    stored.workflow.sequence = sequence;
    this.emit('event', stored.workflow.id);
  }

  /** Ends a workflow and its steps; each step's output is `{"n": <its index>}`. */
  end(
    workflowId: string,
    status: StateName,
    outcome?: { reason: string; message: string },
    failedStep = '',
  ): void {
    const stored = this.get(workflowId);
    const { workflow } = stored;
    workflow.state = State[status];
    workflow.completedAtMs = AT_MS + 5_000;
    workflow.outcome = outcome ?? null;
    workflow.failedStep = failedStep;
    for (const [index, step] of workflow.steps.entries()) {
      step.state = failedStep === '' || step.name !== failedStep ? State.succeeded : State.failed;
      step.outputJson = step.state === State.succeeded ? JSON.stringify({ n: index }) : '';
      if (step.state === State.failed) step.outcome = { reason: 'EXECUTOR_ERROR', message: 'it broke' };
    }
    this.add(stored, { type: `workflow.${status}`, state: State[status], outcome: outcome ?? null });
    this.emit('ended', workflowId);
  }

  result({ workflow }: Stored): TerminalResult {
    const steps = workflow.steps.map(({ name, state, outputJson }) => {
      return {
        name,
        status: stateName(state),
        output: outputJson === '' ? null : (JSON.parse(outputJson) as unknown),
      };
    });
    const succeeded = steps.filter(({ status }) => status === 'succeeded').length;
    const body = { steps, succeeded, failed: steps.length - succeeded, total: steps.length };
    return RESULT.decode(
      RESULT.encode({
        requestId: workflow.requestId,
        workflowId: workflow.id,
        state: workflow.state,
        outcome: workflow.outcome,
        resultJson: JSON.stringify(body),
        sequence: workflow.sequence,
      }),
    );
  }

  #make(requestId: string, spec: Spec, bodyHash: string): Stored {
    const steps = spec.steps.map((step, index) => {
      return { name: step.name || String(index), type: step.type, state: State.unassigned, jobsTotal: 1 };
    });
    const { name, tags, metadataJson, argumentsJson, stateJson } = spec;
    const workflow = WORKFLOW.decode(
      WORKFLOW.encode({
        ...{ name, tags, metadataJson, argumentsJson, stateJson, requestId, steps },
        id: `wf_${String(this.#next++).padStart(8, '0')}`,
        state: State.unassigned,
        createdAtMs: AT_MS,
        counts: { total: steps.length, pending: steps.length },
      }),
    );
    return { workflow, spec, events: [], bodyHash };
  }
}
