/**
 * The `ctx` of one job, in whichever process the executor lives; what it does goes out through a ContextPort.
 *
 * Invariants:
 * 1. Costs nothing that is not touched: no signal, timer, folder or closure exists before its first use
 *    (inline executors run more than 20,000 jobs a second).
 * 2. Every member may be destructured.
 * 3. After `close` nothing goes out: reports are dropped, requests are refused.
 */
import { isAbsolute, resolve } from 'node:path';
import type {
  ArtifactRef,
  ExecutorArtifacts,
  ExecutorContext,
  ExecutorLog,
} from '../../sdk/executor/context.ts';
import {
  InvalidInputError,
  JobAborted,
  ResourceError,
  type AbortReason,
} from '../../sdk/executor/failures.ts';
import { ChunkBuffer } from './chunk-buffer.ts';
import type { ArtifactGateway } from './contract.ts';
import { executorLog, type LogLevel } from './log.ts';
import { ProgressMeter } from './progress-meter.ts';

/** The job's way to its host. */
export interface ContextPort extends ArtifactGateway {
  progress(fraction: number, message: string): void;
  chunk(index: number, data: string): void;
  emitJobs(batch: number, inputsJson: readonly string[]): Promise<void>;
  log(level: LogLevel, message: string, fields: Record<string, unknown>): void;
  /** Makes the job's folder and names it. */
  workdir(): string;
}

export interface JobIdentity {
  readonly jobId: string;
  readonly attempt: number;
  readonly idempotencyKey: string;
}

export class JobContext implements ExecutorContext {
  readonly #job: JobIdentity;
  readonly #port: ContextPort;
  #closed = false;
  #abortReason: AbortReason | undefined;
  #controller: AbortController | undefined;
  #meter: ProgressMeter | undefined;
  #workdir: string | undefined;
  #log: ExecutorLog | undefined;
  #chunks: ChunkBuffer | undefined;
  #batches = 0;

  readonly models: Readonly<Record<string, string>>;

  constructor(job: JobIdentity, port: ContextPort, models: Readonly<Record<string, string>>) {
    this.models = models;
    this.#job = job;
    this.#port = port;
  }

  get jobId(): string {
    return this.#job.jobId;
  }

  get attempt(): number {
    return this.#job.attempt;
  }

  get idempotencyKey(): string {
    return this.#job.idempotencyKey;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(new JobAborted(this.#abortReason));
    }
    return this.#controller.signal;
  }

  get aborted(): boolean {
    return this.#abortReason !== undefined;
  }

  get workdir(): string {
    return (this.#workdir ??= this.#port.workdir());
  }

  get log(): ExecutorLog {
    return (this.#log ??= executorLog((level, message, fields) => {
      if (!this.#closed) this.#port.log(level, message, fields);
    }));
  }

  get progress(): (fraction: number, message?: string) => void {
    return (fraction, message) => {
      if (this.#closed) return;
      this.#meter ??= new ProgressMeter((value, text) => this.#port.progress(value, text));
      this.#meter.report(fraction, message);
    };
  }

  get emit(): (text: string) => void {
    return (text) => {
      if (this.#closed) return;
      this.#chunks ??= new ChunkBuffer((index, data) => this.#port.chunk(index, data));
      this.#chunks.add(text);
    };
  }

  get emitJobs(): (inputs: readonly unknown[]) => Promise<void> {
    return async (inputs) => {
      this.#refuseIfClosed();
      if (inputs.length === 0) return;
      const texts = inputs.map((input) => JSON.stringify(input) ?? 'null');
      await this.#port.emitJobs(++this.#batches, texts);
    };
  }

  get artifacts(): ExecutorArtifacts {
    return {
      get: async (reference) => {
        this.#refuseIfClosed();
        const checked = checkedReference(reference);
        return this.#port
          .fetch(checked)
          .catch((error: unknown) => notThere(`artifact ${checked.$artifact}`, error));
      },
      put: async (path, about = {}) => {
        this.#refuseIfClosed();
        const absolute = isAbsolute(path) ? path : resolve(this.workdir, path);
        return this.#port
          .store(absolute, about)
          .catch((error: unknown) => notThere(`storing ${path}`, error));
      },
    };
  }

  abort(reason: AbortReason): void {
    if (this.#closed || this.#abortReason !== undefined) return;
    this.#abortReason = reason;
    this.#controller?.abort(new JobAborted(reason));
  }

  close(): void {
    this.#closed = true;
    this.#meter?.close();
    this.#chunks?.close();
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new Error(`job ${this.#job.jobId} has ended`);
  }
}

/** A store that fails is no fault of the executor: another attempt may find it well. */
function notThere(what: string, error: unknown): never {
  throw new ResourceError(`${what}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}

/** References come from inputs: what is none is the input's fault. */
function checkedReference(reference: ArtifactRef): ArtifactRef {
  const given: Partial<ArtifactRef> | null | undefined = reference;
  const id = given?.$artifact;
  if (typeof id !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(id)) {
    throw new InvalidInputError(
      'an artifact reference looks like {"$artifact": "sha256:<64 hex digits>", …}',
    );
  }
  const { name = '', size = 0, mediaType = '' } = given ?? {};
  return { $artifact: id, name, size, mediaType };
}
