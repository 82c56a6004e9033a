/** What `run` and the other functions of an executor are handed. Members may be destructured. */

/** A blob by reference, as it stands in JSON inputs and outputs. */
export interface ArtifactRef {
  /** "sha256:<hex>" */
  readonly $artifact: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
}

export interface ExecutorLog {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export interface ExecutorArtifacts {
  /** Path of a local copy; read it, never write to it. */
  get(reference: ArtifactRef): Promise<string>;
  /** Stores a file; a relative path counts from `workdir`. */
  put(path: string, about?: { readonly name?: string; readonly mediaType?: string }): Promise<ArtifactRef>;
}

export interface ExecutorContext {
  readonly jobId: string;
  /** From 1. */
  readonly attempt: number;
  /** Same for every execution of this job: hand it to services that must not act twice. */
  readonly idempotencyKey: string;
  /** Aborted when the job must stop; `signal.reason` is a `JobAborted` whose `reason` says why. */
  readonly signal: AbortSignal;
  /** An empty folder of this job's own, removed when the job ends. */
  readonly workdir: string;
  readonly artifacts: ExecutorArtifacts;
  /** Paths of the files that `resources.models` names, by name. */
  readonly models: Readonly<Record<string, string>>;
  readonly log: ExecutorLog;
  /** fraction 0 to 1; never goes back, and is passed on at most 4 times a second. */
  readonly progress: (fraction: number, message?: string) => void;
  /** Streams a piece of output text to whoever watches. */
  readonly emit: (text: string) => void;
  /** Asks for further jobs of this step, one per input; resolves once they are stored. */
  readonly emitJobs: (inputs: readonly unknown[]) => Promise<void>;
}

/** What `setup`, `warmup`, `healthcheck` and `teardown` are handed. */
export interface LifecycleContext {
  /** Paths of the files that `resources.models` names, by name. */
  readonly models: Readonly<Record<string, string>>;
  readonly log: ExecutorLog;
}
