/**
 * Writes to a stream whose reader may be slow: says when it is full, when there is room again, and when its reader takes
 * nothing any more.
 *
 * Invariants: it is full while this many messages or bytes are on their way, whatever the stream's own buffer allows (which
 * counts objects, of any size); when `isFull`, the owner holds back; `onRoom` comes when everything on its way was taken,
 * `onStuck` at most once, when nothing was taken for `patienceMs`.
 */

/** The part of a gRPC stream this needs. */
export interface WritableMessages<Message> {
  /** `taken` is called when the message has left for the reader. */
  write(message: Message, taken: () => void): unknown;
}

export interface PacedStreamOptions<Message> {
  readonly stream: WritableMessages<Message>;
  readonly patienceMs: number;
  readonly onRoom: () => void;
  readonly onStuck: () => void;
}

const MAX_MESSAGES = 16;
const MAX_BYTES = 8 * 1024 * 1024;

export class PacedStream<Message> {
  readonly #options: PacedStreamOptions<Message>;
  #messages = 0;
  #bytes = 0;
  #full = false;
  /** Runs while the stream is full; each message that is taken sets it back. */
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: PacedStreamOptions<Message>) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#full;
  }

  /** `bytes` of what can be large in it, about. */
  write(message: Message, bytes: number): void {
    if (this.#closed) return;
    this.#messages++;
    this.#bytes += bytes;
    this.#options.stream.write(message, () => this.#taken(bytes));
    if (this.#full || (this.#messages < MAX_MESSAGES && this.#bytes < MAX_BYTES)) return;
    this.#full = true;
    this.#timer = setTimeout(() => this.#stuck(), this.#options.patienceMs);
  }

  /** Nothing is written or told after this. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #taken(bytes: number): void {
    this.#messages--;
    this.#bytes -= bytes;
    if (!this.#full || this.#closed) return;
    if (this.#messages > 0) {
      this.#timer?.refresh();
      return;
    }
    this.#full = false;
    clearTimeout(this.#timer);
    this.#options.onRoom();
  }

  #stuck(): void {
    if (this.#closed) return;
    this.close();
    this.#options.onStuck();
  }
}
