/** What goes into the scripts, with everything left out at its neutral value. */
import { pack } from '../../../coordinator/queue/codec.ts';
import type {
  CancelRange,
  Change,
  CompleteItem,
  JobSpec,
  LogEvent,
  RunSpec,
  SoloItem,
  StepChange,
  SubmitItem,
  WorkflowChange,
} from '../../../coordinator/queue/items.ts';
import { EventCode } from '../../../sdk/common/events.ts';
import type { EventType } from '../../../sdk/common/events.ts';
import { State } from '../../../sdk/common/states.ts';

/** A workflow to submit, its plan beside it. */
export interface Flow {
  readonly item: SubmitItem;
  readonly plan: Buffer;
  readonly classes: readonly [string, string][];
}

export interface FlowOptions {
  /** Dependencies of each step; default one step without any. */
  readonly steps?: readonly number[];
  /** Jobs of step 0 from the start. */
  readonly jobs?: number | readonly JobSpec[];
  /** Jobs of step 0 that are made together: inputs, or how many of the plan's literal. */
  readonly run?: readonly string[] | number;
  readonly queue?: string;
  readonly band?: number;
  readonly cost?: number;
  readonly tenant?: string;
  readonly weight?: number;
  readonly watch?: string;
  readonly expireMs?: number;
  readonly queueTimeoutMs?: number;
  readonly plan?: unknown;
  readonly change?: Change;
  readonly classes?: readonly [string, string][];
}

export function flow(wid: string, options: FlowOptions = {}): Flow {
  const {
    steps = [0],
    jobs = 1,
    tenant = 'acme',
    weight = 1000,
    watch = '',
    expireMs = 0,
    plan = ['plan', wid],
  } = options;
  const { queue = 'q', band = 1, cost = 1, queueTimeoutMs = 0 } = options;
  const specs =
    typeof jobs === 'number'
      ? Array.from({ length: jobs }, (_, slot) => job({ slot, queue, band, cost, queueTimeoutMs }))
      : [...jobs];
  const { run = 0 } = options;
  const inRun = typeof run === 'number' ? run : run.length;
  const count = inRun > 0 ? inRun : specs.length;
  const made =
    options.change ??
    change({
      steps: count === 0 ? [] : [step(0, { total: count, emitted: count })],
      jobs: inRun > 0 ? [] : specs,
      events: count === 0 ? [] : [event('step.ready', 0)],
      ...(inRun > 0
        ? { runs: [[0, 0, queue, band, cost, typeof run === 'number' ? run : [...run]] satisfies RunSpec] }
        : {}),
    });
  return {
    item: [wid, tenant, weight, `r-${wid}`, 0, [...steps], watch, made, expireMs],
    plan: pack(plan),
    classes: options.classes ?? [],
  };
}

interface Parts {
  workflow?: WorkflowChange;
  steps?: StepChange[];
  jobs?: JobSpec[];
  cancels?: CancelRange[];
  events?: LogEvent[];
  again?: number[];
  runs?: (RunSpec | JobSpec)[];
}

export function change(parts: Parts = {}): Change {
  const { workflow = false, steps = [], jobs = [], cancels = [], events = [], again = [], runs } = parts;
  return [workflow, steps, jobs, cancels, events, again, ...(runs === undefined ? [] : [runs])] as Change;
}

interface StepParts {
  state?: number;
  needs?: number;
  total?: number;
  emitted?: number;
  reason?: string;
  message?: string;
  close?: number;
  closePos?: number;
  failsSeen?: number;
}

export function step(index: number, to: StepParts): StepChange {
  const { state = 0, needs = -1, total = -1, emitted = -1, reason = '', message = '' } = to;
  return [
    index,
    state,
    needs,
    total,
    emitted,
    reason,
    message,
    to.close ?? -1,
    to.closePos ?? -1,
    to.failsSeen ?? 0,
  ];
}

interface JobParts {
  step?: number;
  slot?: number;
  queue?: string;
  band?: number;
  cost?: number;
  input?: string;
  attempt?: number;
  replaces?: number;
  delayMs?: number;
  queueTimeoutMs?: number;
}

export function job(parts: JobParts = {}): JobSpec {
  const {
    step = 0,
    slot = 0,
    queue = 'q',
    band = 1,
    cost = 1,
    input = '',
    attempt = 1,
    replaces = -1,
  } = parts;
  return [
    step,
    slot,
    queue,
    band,
    cost,
    input,
    attempt,
    replaces,
    parts.delayMs ?? 0,
    parts.queueTimeoutMs ?? 0,
  ];
}

export function event(type: EventType, step = -1, state: number = State.unassigned): LogEvent {
  return [EventCode[type], step, -1, state];
}

/** [state, reason, message, failedStep, closing] */
export function ending(state: number, reason = ''): WorkflowChange {
  return [state, reason, reason === '' ? '' : `because ${reason}`, -1, -1];
}

interface Holder {
  readonly ref: string;
  readonly token: string;
}

export function success(held: Holder, output = '{}', ahead?: Ahead): CompleteItem {
  const { version = 0, facts = 0, change = false, seen = [] } = ahead ?? {};
  return [held.ref, held.token, State.succeeded, output, '', '', 0, 5, 5, version, facts, change, seen];
}

export interface Ahead {
  readonly version: number;
  readonly facts: number;
  readonly change: Change;
  readonly seen: number[];
}

export function failure(held: Holder, reason = 'BROKEN', retryable = true, blocked = ''): CompleteItem {
  return [
    held.ref,
    held.token,
    State.failed,
    '',
    reason,
    'it broke',
    retryable ? 1 : 0,
    5,
    5,
    0,
    0,
    false,
    [],
    blocked,
  ];
}

/** The decision that ends step 0 and the workflow well. */
export function endOfAll(): Change {
  return change({
    workflow: ending(State.succeeded),
    steps: [step(0, { state: State.succeeded })],
    events: [event('step.succeeded', 0, State.succeeded), event('workflow.succeeded', -1, State.succeeded)],
  });
}

/** A workflow that is one plain job, to submit as a solo record; its plan beside it. */
export interface Solo {
  readonly item: SoloItem;
  readonly plan: Buffer;
}

export function solo(wid: string, options: FlowOptions = {}): Solo {
  const {
    tenant = 'acme',
    weight = 1000,
    watch = '',
    queue = 'q',
    band = 1,
    cost = 1,
    plan = ['plan', wid],
  } = options;
  return { item: [wid, tenant, weight, `r-${wid}`, 0, watch, queue, band, cost], plan: pack(plan) };
}
