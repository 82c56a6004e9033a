/**
 * The seam between the claim loop (which talks to a coordinator) and the executor host (which runs jobs).
 *
 * Invariants: `RunningJob.done` resolves exactly once and never rejects; `cancel` concerns that job alone;
 * no hook is called after `done` has resolved.
 */

import type { Model } from '../../sdk/executor/models.ts';

export type CancelReason = 'user' | 'deadline' | 'lease_lost' | 'shutdown' | 'fail_fast';

/** A job as the host needs it; fields as in `dibs.v1.Offer`. */
export interface JobRequest {
  readonly jobId: string;
  readonly token: string;
  readonly type: string;
  /** Resolved input, JSON text. */
  readonly inputJson: string;
  /** From 1. */
  readonly attempt: number;
  /** Time it may be processing, milliseconds; 0 = none. */
  readonly timeoutMs: number;
  readonly cost: number;
  readonly workflowId: string;
  readonly step: string;
  readonly index: number;
  readonly idempotencyKey: string;
  /** UUIDs of the GPUs it may use; absent = those of its slot. */
  readonly gpus?: readonly string[];
}

export interface JobResult {
  readonly verdict: 'succeeded' | 'retryable' | 'fatal' | 'canceled' | 'timed_out';
  /** JSON text; only when succeeded. */
  readonly outputJson: string;
  /** UPPER_SNAKE code, '' when succeeded. */
  readonly reason: string;
  readonly message: string;
  /** Time the executor ran, milliseconds. */
  readonly runMs: number;
  readonly blockedReason: string;
}

export interface JobHooks {
  /** The executor begins to run (at most once). */
  started(): void;
  /** fraction 0 to 1. */
  progress(fraction: number, message: string): void;
  /** Output tokens beside the event log; index counts from 0. */
  chunk(index: number, data: string): void;
  /** Further jobs; resolves once stored. batch counts from 1. */
  emitJobs(batch: number, inputsJson: readonly string[]): Promise<void>;
}

export interface RunningJob {
  readonly done: Promise<JobResult>;
  /** Abort signal → SIGTERM → SIGKILL of the job's process group; siblings are untouched. Idempotent. */
  cancel(reason: CancelReason): void;
}

/** What the advertisement says of one executor; fields as in `dibs.v1.ExecutorInfo`. */
export interface ExecutorDescription {
  readonly type: string;
  readonly version: string;
  readonly concurrency: number;
  readonly inputSchemaJson: string;
  readonly outputSchemaJson: string;
  readonly cost: string;
  readonly deterministic: boolean;
  readonly isolation: 'process' | 'inline';
  readonly gpus: number;
  readonly vramBytes: number;
  /** Main memory one job needs. */
  readonly memoryBytes: number;
  readonly models: readonly Model[];
  readonly description: string;
}

/** A blob by reference, as it stands in JSON inputs and outputs. */
export interface ArtifactReference {
  /** "sha256:<hex>" */
  readonly $artifact: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
}

/** Where the host gets and puts blobs: the coordinator's store, or a local folder for `executor run`. */
export interface ArtifactGateway {
  /** Path of a local read-only copy. */
  fetch(reference: ArtifactReference): Promise<string>;
  /** Stores a local file. */
  store(path: string, about: { name?: string; mediaType?: string }): Promise<ArtifactReference>;
}

export interface JobHost {
  readonly executors: readonly ExecutorDescription[];
  start(): Promise<void>;
  run(request: JobRequest, hooks: JobHooks): RunningJob;
  /** Live executor processes, for usage reports. */
  processes(): readonly { pid: number; type: string; jobId: string }[];
  /** Ends every executor process; running jobs end as canceled with reason shutdown. */
  stop(): Promise<void>;
}
