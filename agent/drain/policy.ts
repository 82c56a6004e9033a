/**
 * What the owner allows, looked at again and again: the hours, and the free space on disk.
 *
 * Invariant: `closed` is told when the answer changes, with the reason in words; '' = jobs are taken.
 */
import { isWithin } from './hours.ts';
import type { Hours } from './hours.ts';

const EVERY_MS = 15_000;
const GIB = 2 ** 30;

export interface PolicyOptions {
  readonly hours?: Hours;
  /** Whether less than this is free; left out = that is no matter. */
  readonly lowDisk?: () => Promise<boolean>;
  readonly minFreeBytes: number;
  readonly closed: (why: string) => void;
  readonly onError: (error: unknown) => void;
  readonly date?: () => Date;
}

export class PolicyLoop {
  readonly #o: PolicyOptions;
  #timer: NodeJS.Timeout | undefined;
  #told = '';

  constructor(options: PolicyOptions) {
    this.#o = options;
  }

  /** Resolves when it has looked once. */
  async start(): Promise<void> {
    if (this.#o.hours === undefined && this.#o.lowDisk === undefined) return;
    await this.runOnce();
    this.#timer = setInterval(() => void this.runOnce(), EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async runOnce(): Promise<void> {
    const why = await this.#look().catch((error: unknown) => {
      this.#o.onError(error);
      return this.#told;
    });
    if (why === this.#told) return;
    this.#told = why;
    this.#o.closed(why);
  }

  async #look(): Promise<string> {
    const { hours, lowDisk, minFreeBytes, date } = this.#o;
    if (hours !== undefined && !isWithin(hours, date?.() ?? new Date()))
      return `outside its hours (${hours.text})`;
    if ((await lowDisk?.()) === true)
      return `less than ${Number((minFreeBytes / GIB).toFixed(1))} GiB are free on its disk`;
    return '';
  }
}
