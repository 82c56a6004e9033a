/**
 * When an agent leaves by itself: after a time without work, after a number of jobs, after a time in all. Pure.
 *
 * 1. A rule that is not set never fires. Idle time counts from the start, or from the end of the last job.
 */

export interface ExitRules {
  readonly afterIdleMs: number | undefined;
  readonly afterJobs: number | undefined;
  readonly afterUptimeMs: number | undefined;
}

export interface ExitView {
  readonly startedAt: number;
  /** Undefined while something is held. */
  readonly idleSince: number | undefined;
  readonly finished: number;
}

/** Why to leave now; undefined = stay. */
export function whyLeave(rules: ExitRules, view: ExitView, now: number): string | undefined {
  const { afterIdleMs, afterJobs, afterUptimeMs } = rules;
  if (afterJobs !== undefined && view.finished >= afterJobs) return `finished ${view.finished} jobs`;
  if (afterUptimeMs !== undefined && now - view.startedAt >= afterUptimeMs)
    return `up for ${afterUptimeMs} ms`;
  if (afterIdleMs !== undefined && view.idleSince !== undefined && now - view.idleSince >= afterIdleMs) {
    return `idle for ${afterIdleMs} ms`;
  }
  return undefined;
}
