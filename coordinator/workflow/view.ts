/**
 * What a decision sees of a workflow: the packed head (and step chunks) as named fields.
 *
 * Steps beyond the first chunk are loaded on demand: a view of a 10,000-step workflow may hold two chunks only.
 */
import { HEAD, STEP, STEPS_PER_CHUNK } from '../queue/records.ts';
import type { FailMode } from './plan.ts';

/** [ordinal, state, reason, message, attempt, slot, retryable 0|1] of a failed job no decision has seen. */
export type FailedJob = [number, number, string, string, number, number, number];

export interface StepView {
  state: number;
  needs: number;
  total: number;
  emitted: number;
  nextJob: number;
  open: number;
  ok: number;
  bad: number;
  startedAt: number;
  completedAt: number;
  reason: string;
  message: string;
  close: number;
  closePos: number;
  fails: readonly FailedJob[];
}

export interface WorkflowView {
  version: number;
  facts: number;
  state: number;
  tenant: string;
  createdAt: number;
  startedAt: number;
  completedAt: number;
  sequence: number;
  listed: number;
  reason: string;
  message: string;
  failedStep: number;
  /** 0 none, 1 a person's cancel, 2 the workflow's timeout. */
  cancel: number;
  cancelMessage: string;
  closing: number;
  dirty: readonly number[];
  stepCount: number;
  openSteps: number;
  okSteps: number;
  requestId: string;
  /** Index → step; a hole is a chunk that was not loaded. */
  steps: (StepView | undefined)[];
}

type Packed = readonly unknown[];

export function readStep(packed: Packed): StepView {
  return {
    state: packed[STEP.state] as number,
    needs: packed[STEP.needs] as number,
    total: packed[STEP.total] as number,
    emitted: packed[STEP.emitted] as number,
    nextJob: packed[STEP.nextJob] as number,
    open: packed[STEP.open] as number,
    ok: packed[STEP.ok] as number,
    bad: packed[STEP.bad] as number,
    startedAt: packed[STEP.startedAt] as number,
    completedAt: packed[STEP.completedAt] as number,
    reason: packed[STEP.reason] as string,
    message: packed[STEP.message] as string,
    close: packed[STEP.close] as number,
    closePos: packed[STEP.closePos] as number,
    fails: packed[STEP.fails] as FailedJob[],
  };
}

/** Packed record of a step nobody has touched; `needs` dependencies are open. */
export function freshStep(needs: number): unknown[] {
  return [1, needs, -1, 0, 0, 0, 0, 0, 0, 0, '', '', 0, 0, []];
}

export function readHead(packed: Packed): WorkflowView {
  return {
    version: packed[HEAD.ver] as number,
    facts: packed[HEAD.facts] as number,
    state: packed[HEAD.state] as number,
    tenant: packed[HEAD.tenant] as string,
    createdAt: packed[HEAD.createdAt] as number,
    startedAt: packed[HEAD.startedAt] as number,
    completedAt: packed[HEAD.completedAt] as number,
    sequence: packed[HEAD.seq] as number,
    listed: packed[HEAD.listed] as number,
    reason: packed[HEAD.reason] as string,
    message: packed[HEAD.message] as string,
    failedStep: packed[HEAD.failedStep] as number,
    cancel: packed[HEAD.cancel] as number,
    cancelMessage: packed[HEAD.cancelMessage] as string,
    closing: packed[HEAD.closing] as number,
    dirty: packed[HEAD.dirty] as number[],
    stepCount: packed[HEAD.stepCount] as number,
    openSteps: packed[HEAD.openSteps] as number,
    okSteps: packed[HEAD.okSteps] as number,
    requestId: packed[HEAD.requestId] as string,
    steps: (packed[HEAD.steps] as Packed[]).map(readStep),
  };
}

/** Puts a loaded chunk into the view. */
export function addChunk(view: WorkflowView, chunk: number, packed: readonly Packed[]): void {
  packed.forEach((step, offset) => {
    view.steps[chunk * STEPS_PER_CHUNK + offset] = readStep(step);
  });
}

/** A view before anything was stored: what `submit` decides from. */
export function freshView(needs: readonly number[], tenant: string): WorkflowView {
  return {
    version: 0,
    facts: 0,
    state: 1,
    tenant,
    createdAt: 0,
    startedAt: 0,
    completedAt: 0,
    sequence: 0,
    listed: 0,
    reason: '',
    message: '',
    failedStep: -1,
    cancel: 0,
    cancelMessage: '',
    closing: 0,
    dirty: [],
    stepCount: needs.length,
    openSteps: needs.length,
    okSteps: 0,
    requestId: '',
    steps: needs.map((count) => readStep(freshStep(count))),
  };
}

/** best_effort that ended well without every step having succeeded. */
export function isPartial(view: WorkflowView, failMode: FailMode): boolean {
  return failMode === 'best_effort' && view.state === 5 && view.failedStep >= 0;
}
