/**
 * What a decision sees of a workflow: the stored head (and step chunks) as named fields.
 *
 * Steps beyond the first chunk are loaded on demand: a view of a 10,000-step workflow may hold two chunks only.
 */
import { unpack } from '../queue/codec.ts';
import { isSolo, soloView } from '../queue/solo.ts';
import { STEPS_PER_CHUNK, readHeadRecord, readStepRecords } from '../queue/records.ts';
import type { StepRecord } from '../queue/records.ts';
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

/** From the bytes of a stored head; what follows its steps (the log) is not read. */
export function readHead(bytes: Buffer): WorkflowView {
  if (isSolo(bytes)) return soloView(bytes);
  const { head, end } = readHeadRecord(bytes);
  const dirty: number[] = [];
  for (let at = 0; at < head.dirty.length; at += 4) dirty.push((head.dirty as Buffer).readInt32BE(at));
  return {
    version: head.ver,
    facts: head.facts,
    state: head.state,
    tenant: head.tenant,
    createdAt: head.createdAt,
    startedAt: head.startedAt,
    completedAt: head.completedAt,
    sequence: head.seq,
    listed: head.listed,
    reason: head.reason,
    message: head.message,
    failedStep: head.failedStep,
    cancel: head.cancel,
    cancelMessage: head.cancelMessage,
    closing: head.closing,
    dirty,
    stepCount: head.stepCount,
    openSteps: head.openSteps,
    okSteps: head.okSteps,
    requestId: head.requestId,
    steps: readStepRecords(bytes, end, end + head.stepsBytes).map(readStep),
  };
}

function readStep(step: StepRecord): StepView {
  const { notes, ...rest } = step;
  const [reason, message, fails] = notes === '' ? NO_NOTES : unpack<[string, string, FailedJob[]]>(notes);
  return { ...rest, reason, message, fails };
}

const NO_NOTES: readonly [string, string, readonly FailedJob[]] = ['', '', []];

/** The steps of a chunk field. */
export function readChunk(bytes: Buffer): StepView[] {
  return readStepRecords(bytes, 0, bytes.length).map(readStep);
}

/** Puts a loaded chunk into the view. */
export function addChunk(view: WorkflowView, chunk: number, bytes: Buffer): void {
  readChunk(bytes).forEach((step, offset) => {
    view.steps[chunk * STEPS_PER_CHUNK + offset] = step;
  });
}

/** A step nobody has touched; `needs` dependencies are open. */
function freshStep(needs: number): StepView {
  return {
    state: 1,
    needs,
    total: -1,
    emitted: 0,
    nextJob: 0,
    open: 0,
    ok: 0,
    bad: 0,
    startedAt: 0,
    completedAt: 0,
    reason: '',
    message: '',
    close: 0,
    closePos: 0,
    fails: [],
  };
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
    steps: needs.map(freshStep),
  };
}

/** best_effort that ended well without every step having succeeded. */
export function isPartial(view: WorkflowView, failMode: FailMode): boolean {
  return failMode === 'best_effort' && view.state === 5 && view.failedStep >= 0;
}
