/**
 * What goes down to one agent, one message per event-loop turn.
 *
 * Invariants: order within a kind is kept; while the stream is full, everything waits here, for a bounded time and up to a
 * bound; then the agent is said to be stuck, once, and nothing is kept for it any more.
 */
import type {
  CancelJob,
  CompletionAck,
  Control,
  EmitAck,
  Offer,
  PreloadHint__Output,
  Welcome,
} from '../../proto/gen/index.ts';
import type { Plain } from '../../proto/gen/load.ts';
import type { CoordinatorMessage__Output } from '../../proto/gen/index.ts';
import { PacedStream } from '../../runtime/paced-stream.ts';
import type { WritableMessages } from '../../runtime/paced-stream.ts';

/** Inputs one message carries at most, unless a single one is larger. */
const MESSAGE_BYTES = 4 * 1024 * 1024;

/** The part of a gRPC stream this needs. */
export interface DownStream extends WritableMessages<Plain<CoordinatorMessage__Output>> {
  end(): void;
}

/** What may wait while the stream is full: six times the jobs an agent may bring along. */
const MAX_WAITING = 65_536;

export interface OutboxPatience {
  /** How long a full stream may take nothing. */
  readonly patienceMs: number;
  /** The agent takes nothing: its stream must end. */
  readonly onStuck: () => void;
}

export class Outbox {
  readonly #stream: DownStream;
  readonly #down: PacedStream<Plain<CoordinatorMessage__Output>>;
  readonly #onStuck: () => void;
  #offers: Plain<Offer>[] = [];
  #acks: Plain<CompletionAck>[] = [];
  #cancels: Plain<CancelJob>[] = [];
  #emitAcks: Plain<EmitAck>[] = [];
  #scheduled = false;
  #closed = false;

  constructor(stream: DownStream, patience: OutboxPatience) {
    this.#stream = stream;
    this.#onStuck = patience.onStuck;
    this.#down = new PacedStream({
      stream,
      patienceMs: patience.patienceMs,
      onRoom: () => this.#flush(),
      onStuck: () => this.#stuck(),
    });
  }

  welcome(welcome: Plain<Welcome>): void {
    this.#down.write({ welcome }, 0);
  }

  offer(offer: Plain<Offer>): void {
    if (this.#closed) return;
    this.#offers.push(offer);
    this.#schedule();
  }

  ack(ack: Plain<CompletionAck>): void {
    if (this.#closed) return;
    this.#acks.push(ack);
    this.#schedule();
  }

  cancel(cancel: Plain<CancelJob>): void {
    if (this.#closed) return;
    this.#cancels.push(cancel);
    this.#schedule();
  }

  /** Replaces what was said before. */
  preload(hints: Plain<PreloadHint__Output>[]): void {
    if (!this.#closed) this.#down.write({ preloads: hints }, 0);
  }

  emitAck(ack: Plain<EmitAck>): void {
    if (this.#closed) return;
    this.#emitAcks.push(ack);
    this.#schedule();
  }

  control(control: Plain<Control>): void {
    if (!this.#closed) this.#down.write({ control }, 0);
  }

  /** The coordinator leaves. */
  drain(): void {
    this.#down.write({ drain: true }, 0);
  }

  close(): void {
    this.#closed = true;
    this.#down.close();
    this.#offers = [];
    this.#acks = [];
    this.#cancels = [];
    this.#emitAcks = [];
  }

  /** Ends the session in good order: the agent goes elsewhere and keeps its jobs. */
  end(): void {
    if (this.#closed) return;
    this.#flush();
    this.close();
    this.#stream.end();
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    if (this.#down.isFull) {
      if (this.#waiting() > MAX_WAITING) this.#stuck();
      return;
    }
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#waiting() === 0) return;
    const { offers, bytes } = this.#takeOffers();
    const message = { offers, acks: this.#acks, cancels: this.#cancels, emitAcks: this.#emitAcks };
    this.#acks = [];
    this.#cancels = [];
    this.#emitAcks = [];
    this.#down.write(message as Plain<CoordinatorMessage__Output>, bytes);
    if (this.#offers.length > 0) this.#schedule();
  }

  /** As many offers as one message should carry. */
  #takeOffers(): { offers: Plain<Offer>[]; bytes: number } {
    let bytes = 0;
    let count = 0;
    for (const { inputJson } of this.#offers) {
      const size = inputJson?.length ?? 0;
      if (count > 0 && bytes + size > MESSAGE_BYTES) break;
      bytes += size;
      count++;
    }
    const offers = this.#offers;
    this.#offers = count === offers.length ? [] : offers.splice(count);
    return { offers, bytes };
  }

  #waiting(): number {
    return this.#offers.length + this.#acks.length + this.#cancels.length + this.#emitAcks.length;
  }

  #stuck(): void {
    if (this.#closed) return;
    this.close();
    this.#onStuck();
  }
}
