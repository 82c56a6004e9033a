/** Looks at the exit rules now and then; siblings: `exit-rules.ts` decides. No rule, no timer. */
import { whyLeave } from './exit-rules.ts';
import type { ExitRules, ExitView } from './exit-rules.ts';

const LOOK_MS = 250;

export class ExitTimer {
  readonly #rules: ExitRules;
  readonly #view: () => ExitView;
  readonly #leave: (reason: string) => void;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    rules: ExitRules;
    view: () => ExitView;
    leave: (reason: string) => void;
    now: () => number;
  }) {
    this.#rules = options.rules;
    this.#view = options.view;
    this.#leave = options.leave;
    this.#now = options.now;
  }

  start(): void {
    const { afterIdleMs, afterJobs, afterUptimeMs } = this.#rules;
    if (afterIdleMs === undefined && afterJobs === undefined && afterUptimeMs === undefined) return;
    this.#timer ??= setInterval(() => this.runOnce(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  runOnce(): void {
    const why = whyLeave(this.#rules, this.#view(), this.#now());
    if (why === undefined) return;
    this.stop();
    this.#leave(why);
  }
}
