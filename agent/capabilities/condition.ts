/**
 * What this agent can give right now, told to the coordinator as it changes.
 *
 * 1. Said once a session begins, and then when it differs from what was said last, at most once a second.
 * 2. Free memory of GPUs is what no job of this agent has, in whole GiB: what other programs take is not known to it.
 */
import type { Condition } from '../link/wire.ts';

const GIB = 2 ** 30;
const PACE_MS = 1000;

export interface ConditionSources {
  /** Of each GPU. */
  readonly gpuFreeBytes: () => readonly number[];
  /** Models whose files are here. */
  readonly cachedModels: () => readonly string[];
  /** Models of executors with an idle process. */
  readonly warmModels: () => readonly string[];
  readonly pausedTypes: () => readonly string[];
  /** Why nothing is taken; '' = something is. */
  readonly closed: () => string;
}

export class ConditionReport {
  readonly #sources: ConditionSources;
  readonly #send: (condition: Condition) => void;
  #said: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #live = false;

  constructor(sources: ConditionSources, send: (condition: Condition) => void) {
    this.#sources = sources;
    this.#send = send;
  }

  /** A session has begun. */
  live(): void {
    this.#live = true;
    this.#said = undefined;
    this.runOnce();
  }

  /** The session is over. */
  lost(): void {
    this.#live = false;
    this.stop();
  }

  /** Something may have changed. */
  changed(): void {
    if (!this.#live || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.runOnce();
    }, PACE_MS).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Says what there is to say. */
  runOnce(): void {
    const { gpuFreeBytes, cachedModels, warmModels, pausedTypes, closed } = this.#sources;
    const condition: Condition = {
      cachedModels: cachedModels().toSorted(),
      warmModels: warmModels().toSorted(),
      gpuFreeBytes: gpuFreeBytes().map((bytes) => Math.floor(bytes / GIB) * GIB),
      pausedTypes: pausedTypes().toSorted(),
      closed: closed(),
    };
    const text = JSON.stringify(condition);
    if (text === this.#said) return;
    // One that has nothing to say of itself need not say so.
    const isPlain = this.#said === undefined && text === PLAIN;
    this.#said = text;
    if (!isPlain) this.#send(condition);
  }
}

const PLAIN = JSON.stringify({
  cachedModels: [],
  warmModels: [],
  gpuFreeBytes: [],
  pausedTypes: [],
  closed: '',
});
