/**
 * One job this agent holds, from offer to completion. It is also the hooks its executor calls: no closure per job.
 *
 * 1. `phase` only moves on: waiting → preparing → processing → over.
 * 2. Once `over` nothing is said about the job any more, whatever its executor still does.
 */
import { State } from '../../sdk/common/states.ts';
import type { StateCode } from '../../sdk/common/states.ts';
import type { JobHooks, RunningJob } from '../jobs/contract.ts';
import type { Placement } from './ledger.ts';
import type { Offer, HeldJobReport, JobEmit } from '../link/wire.ts';

export type Phase = 'waiting' | 'preparing' | 'processing' | 'over';

const STATE_OF = {
  waiting: State.scheduled,
  preparing: State.preparing,
  processing: State.processing,
  over: State.processing,
} as const satisfies Record<Phase, StateCode>;

/** What a held job needs of the claim loop. */
export interface HeldJobPort {
  started(job: HeldJob): void;
  progress(job: HeldJob, fraction: number, message: string): void;
  chunk(job: HeldJob, index: number, data: string): void;
  emitJobs(job: HeldJob, batch: number, inputsJson: readonly string[]): Promise<void>;
}

export class HeldJob implements JobHooks {
  readonly offer: Offer;
  readonly receivedAt: number;
  readonly #port: HeldJobPort;
  phase: Phase = 'waiting';
  startedAt = 0;
  /** Accept (and start) have been said in this session. */
  announced = false;
  running: RunningJob | undefined;
  /** What of GPUs and memory it has. */
  placement: Placement | undefined;
  /** Batches of further jobs no ack has named yet. */
  emits: JobEmit[] | undefined;

  constructor(offer: Offer, receivedAt: number, port: HeldJobPort) {
    this.offer = offer;
    this.receivedAt = receivedAt;
    this.#port = port;
  }

  get jobId(): string {
    return this.offer.jobId;
  }

  get token(): string {
    return this.offer.token;
  }

  heldReport(): HeldJobReport {
    return { jobId: this.jobId, token: this.token, state: STATE_OF[this.phase] };
  }

  started(): void {
    if (this.phase === 'preparing') this.#port.started(this);
  }

  progress(fraction: number, message: string): void {
    if (this.phase !== 'over') this.#port.progress(this, fraction, message);
  }

  chunk(index: number, data: string): void {
    if (this.phase !== 'over') this.#port.chunk(this, index, data);
  }

  emitJobs(batch: number, inputsJson: readonly string[]): Promise<void> {
    if (this.phase === 'over') return Promise.reject(new Error(`job ${this.jobId} is over`));
    return this.#port.emitJobs(this, batch, inputsJson);
  }
}
