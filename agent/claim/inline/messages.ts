/**
 * What the agent and its inline thread say to each other: batches, one a turn, as flat lists of plain values.
 *
 * Flat, because structured clone then writes no property names: 1.6 µs a job less than a list of objects.
 *
 * 1. A job is named by a number that is never used twice in a process.
 */
import type {
  ArtifactReference,
  CancelReason,
  ExecutorDescription,
  JobRequest,
  JobResult,
} from '../../jobs/contract.ts';
import type { LogLevel } from '../../jobs/log.ts';

/** What the thread is started with. */
export interface ThreadSetup {
  readonly modules: readonly string[];
  readonly workRoot: string;
  readonly maxOutputBytes: number | undefined;
  /** One cell: number of the job that began last. Readable while the thread is busy. */
  readonly current: SharedArrayBuffer;
}

/** A question of an executor that the agent answers. */
export type Question =
  | { readonly kind: 'fetch'; readonly reference: ArtifactReference }
  | { readonly kind: 'store'; readonly path: string; readonly about: { name?: string; mediaType?: string } }
  | {
      readonly kind: 'emit';
      readonly job: number;
      readonly batch: number;
      readonly inputsJson: readonly string[];
    };

export type Answer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

/** Agent → thread. */
export interface ToThread {
  /** REQUEST_FIELDS values a job. */
  readonly run: readonly (string | number)[];
  readonly cancel: readonly { readonly job: number; readonly reason: CancelReason }[];
  readonly answers: readonly { readonly id: number; readonly answer: Answer }[];
  readonly ping: number;
  readonly stop: boolean;
}

/** Thread → agent. */
export interface FromThread {
  readonly ready:
    | { readonly executors: readonly ExecutorDescription[]; readonly problem: string }
    | undefined;
  readonly started: readonly number[];
  /** RESULT_FIELDS values a job. */
  readonly done: readonly (string | number)[];
  readonly progress: readonly { readonly job: number; readonly fraction: number; readonly message: string }[];
  readonly chunks: readonly { readonly job: number; readonly index: number; readonly data: string }[];
  readonly questions: readonly { readonly id: number; readonly question: Question }[];
  readonly log: readonly { readonly level: LogLevel; readonly fields: object; readonly message: string }[];
  readonly pong: number;
  readonly stopped: boolean;
}

export const REQUEST_FIELDS = 12;
export const RESULT_FIELDS = 7;

export function pushRequest(list: (string | number)[], job: number, request: JobRequest): void {
  list.push(
    job,
    request.jobId,
    request.token,
    request.type,
    request.inputJson,
    request.attempt,
    request.timeoutMs,
    request.cost,
    request.workflowId,
    request.step,
    request.index,
    request.idempotencyKey,
  );
}

export function requestAt(list: readonly (string | number)[], at: number): JobRequest {
  return {
    jobId: list[at + 1] as string,
    token: list[at + 2] as string,
    type: list[at + 3] as string,
    inputJson: list[at + 4] as string,
    attempt: list[at + 5] as number,
    timeoutMs: list[at + 6] as number,
    cost: list[at + 7] as number,
    workflowId: list[at + 8] as string,
    step: list[at + 9] as string,
    index: list[at + 10] as number,
    idempotencyKey: list[at + 11] as string,
  };
}

export function pushResult(list: (string | number)[], job: number, result: JobResult): void {
  list.push(
    job,
    result.verdict,
    result.outputJson,
    result.reason,
    result.message,
    result.runMs,
    result.blockedReason,
  );
}

export function resultAt(list: readonly (string | number)[], at: number): JobResult {
  return {
    verdict: list[at + 1] as JobResult['verdict'],
    outputJson: list[at + 2] as string,
    reason: list[at + 3] as string,
    message: list[at + 4] as string,
    runMs: list[at + 5] as number,
    blockedReason: list[at + 6] as string,
  };
}
