/**
 * What goes down to one agent, one message per event-loop turn.
 *
 * Invariants: order within a kind is kept; while the stream is full, everything waits here (offers are bounded by
 * credits, acknowledgements by what the agent sent).
 */
import type { CancelJob, CompletionAck, EmitAck, Offer, Welcome } from '../../proto/gen/index.ts';
import type { Plain } from '../../proto/gen/load.ts';
import type { CoordinatorMessage__Output } from '../../proto/gen/index.ts';

/** Inputs one message carries at most, unless a single one is larger. */
const MESSAGE_BYTES = 4 * 1024 * 1024;

/** The part of a gRPC stream this needs. */
export interface DownStream {
  write(message: Plain<CoordinatorMessage__Output>): boolean;
  once(event: 'drain', listener: () => void): unknown;
  end(): void;
}

export class Outbox {
  readonly #stream: DownStream;
  #offers: Plain<Offer>[] = [];
  #acks: Plain<CompletionAck>[] = [];
  #cancels: Plain<CancelJob>[] = [];
  #emitAcks: Plain<EmitAck>[] = [];
  #scheduled = false;
  #full = false;
  #closed = false;

  constructor(stream: DownStream) {
    this.#stream = stream;
  }

  welcome(welcome: Plain<Welcome>): void {
    this.#write({ welcome });
  }

  offer(offer: Plain<Offer>): void {
    this.#offers.push(offer);
    this.#schedule();
  }

  ack(ack: Plain<CompletionAck>): void {
    this.#acks.push(ack);
    this.#schedule();
  }

  cancel(cancel: Plain<CancelJob>): void {
    this.#cancels.push(cancel);
    this.#schedule();
  }

  emitAck(ack: Plain<EmitAck>): void {
    this.#emitAcks.push(ack);
    this.#schedule();
  }

  /** The coordinator leaves. */
  drain(): void {
    this.#write({ drain: true });
  }

  close(): void {
    this.#closed = true;
  }

  /** Ends the session in good order: the agent goes elsewhere and keeps its jobs. */
  end(): void {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    this.#stream.end();
  }

  #schedule(): void {
    if (this.#scheduled || this.#full || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const waiting = this.#offers.length + this.#acks.length + this.#cancels.length + this.#emitAcks.length;
    if (waiting === 0) return;
    const offers = this.#takeOffers();
    const message = { offers, acks: this.#acks, cancels: this.#cancels, emitAcks: this.#emitAcks };
    this.#acks = [];
    this.#cancels = [];
    this.#emitAcks = [];
    this.#write(message as Plain<CoordinatorMessage__Output>);
    if (this.#offers.length > 0) this.#schedule();
  }

  /** As many offers as one message should carry. */
  #takeOffers(): Plain<Offer>[] {
    let bytes = 0;
    let count = 0;
    for (const { inputJson } of this.#offers) {
      bytes += inputJson?.length ?? 0;
      if (count > 0 && bytes > MESSAGE_BYTES) break;
      count++;
    }
    const taken = this.#offers;
    this.#offers = count === taken.length ? [] : taken.splice(count);
    return taken;
  }

  #write(message: Plain<CoordinatorMessage__Output>): void {
    if (this.#closed) return;
    if (this.#stream.write(message)) return;
    this.#full = true;
    this.#stream.once('drain', () => {
      this.#full = false;
      this.#flush();
    });
  }
}
