/**
 * Every time the coordinator goes by, with its default, and what must hold between them.
 *
 * Invariants: no other file of the coordinator holds one of these times as a constant; a set of times that `timeProblems`
 * accepts stalls no job of an agent that keeps to its heartbeats, and always ends the waiting after an outage.
 */
import { ConfigError } from '../runtime/config-error.ts';
import { formatDuration } from '../sdk/common/duration.ts';

export interface CoordinatorTimes {
  /** Agents send a heartbeat this often, milliseconds; default 30,000. */
  readonly heartbeatMs: number;
  /** A held job without a sign of life for this long is stalled, milliseconds; default 120,000. */
  readonly leaseMs: number;
  /** An offer not accepted within this time goes back, milliseconds; default 15,000. */
  readonly offerMs: number;
  /** Pause of the stall sweep, milliseconds; default 60,000. */
  readonly sweepMs: number;
  /**
   * A gap between two sweeps that exceeds `sweepMs` by more than this was an outage, after which the sweep waits one
   * lease, milliseconds; default 15,000.
   */
  readonly sweepSlackMs: number;
  /** Recoveries of a stalled job before it fails; default 3. */
  readonly maxRecoveries: number;
  /** A retried or recovered job is kept from the agent that lost it for this long, milliseconds; default 5,000. */
  readonly avoidMs: number;
  /** Pause of the due loop, milliseconds; default 1,000. */
  readonly dueMs: number;
  /** Facts older than this without a decision are decided by whoever finds them, milliseconds; default 2,000. */
  readonly undecidedMs: number;
  /** Pause of the poll that covers lost wake-ups, milliseconds; default 1,000. */
  readonly pollMs: number;
  /** A stream whose other end takes nothing for this long is ended, milliseconds; default 30,000. */
  readonly slowReaderMs: number;
  /** A first retry waits at most this long, each further one twice as long, milliseconds; default 1,000. */
  readonly retryBackoffMs: number;
  /** No retry waits longer, milliseconds; default 60,000. */
  readonly retryBackoffMaxMs: number;
  /** An agent that fails where others do not is shut out for this long, each further time twice as long, milliseconds; default 60,000. */
  readonly quarantineMs: number;
  /** No quarantine lasts longer, milliseconds; default 3,600,000. */
  readonly quarantineMaxMs: number;
}

export const DEFAULT_TIMES: CoordinatorTimes = {
  heartbeatMs: 30_000,
  leaseMs: 120_000,
  offerMs: 15_000,
  sweepMs: 60_000,
  sweepSlackMs: 15_000,
  maxRecoveries: 3,
  avoidMs: 5000,
  dueMs: 1000,
  undecidedMs: 2000,
  pollMs: 1000,
  slowReaderMs: 30_000,
  retryBackoffMs: 1000,
  retryBackoffMaxMs: 60_000,
  quarantineMs: 60_000,
  quarantineMaxMs: 3_600_000,
};

/** As flags and files name them. */
export const TIME_NAMES: Readonly<Record<keyof CoordinatorTimes, string>> = {
  heartbeatMs: 'heartbeat-interval',
  leaseMs: 'lease',
  offerMs: 'offer-lease',
  sweepMs: 'sweep-interval',
  sweepSlackMs: 'sweep-slack',
  maxRecoveries: 'max-recoveries',
  avoidMs: 'avoid',
  dueMs: 'due-interval',
  undecidedMs: 'undecided',
  pollMs: 'poll-interval',
  slowReaderMs: 'slow-reader',
  retryBackoffMs: 'retry-backoff',
  retryBackoffMaxMs: 'retry-backoff-max',
  quarantineMs: 'quarantine-time',
  quarantineMaxMs: 'quarantine-time-max',
};

/** 0 says "at once" here; everywhere else it would say "never" or "always". */
const MAY_BE_ZERO: ReadonlySet<keyof CoordinatorTimes> = new Set([
  'maxRecoveries',
  'avoidMs',
  'undecidedMs',
  'retryBackoffMs',
  'retryBackoffMaxMs',
]);

/** Defaults where nothing is given; throws a ConfigError with every mistake. */
export function completeTimes(given: Partial<CoordinatorTimes> = {}): CoordinatorTimes {
  const times = { ...DEFAULT_TIMES, ...given };
  const problems = timeProblems(times);
  if (problems.length > 0) throw new ConfigError(problems);
  return times;
}

/** Sentences; none when all is well. */
export function timeProblems(times: CoordinatorTimes): string[] {
  const problems: string[] = [];
  for (const key of Object.keys(TIME_NAMES) as (keyof CoordinatorTimes)[]) {
    const least = MAY_BE_ZERO.has(key) ? 0 : 1;
    if (!Number.isSafeInteger(times[key]) || times[key] < least)
      problems.push(`${TIME_NAMES[key]} must be ${least === 0 ? 'at least 0' : 'more than 0'}.`);
  }
  if (problems.length > 0) return problems;
  const said = (key: keyof CoordinatorTimes): string => `${TIME_NAMES[key]} (${formatDuration(times[key])})`;
  const demand = (holds: boolean, sentence: string): void => void (holds || problems.push(sentence));
  demand(
    times.heartbeatMs * 2 <= times.leaseMs,
    `${said('heartbeatMs')} must be at most half of ${said('leaseMs')}: one late heartbeat would stall jobs that run well.`,
  );
  demand(
    times.offerMs <= times.leaseMs,
    `${said('offerMs')} must not be longer than ${said('leaseMs')}: an offer is the shorter hold.`,
  );
  demand(
    times.dueMs * 4 <= times.offerMs,
    `${said('dueMs')} must be at most a quarter of ${said('offerMs')}: ordinary pauses would count as outages, and no offer would lapse.`,
  );
  demand(
    times.sweepSlackMs * 4 >= times.sweepMs,
    `${said('sweepSlackMs')} must be at least a quarter of ${said('sweepMs')}: ordinary delays would count as outages, and no job as stalled.`,
  );
  demand(
    times.sweepMs + times.sweepSlackMs + times.heartbeatMs <= times.leaseMs,
    `${said('sweepMs')}, ${said('sweepSlackMs')} and ${said('heartbeatMs')} together must not be longer than ${said('leaseMs')}: an outage of that length would not be seen as one, and would stall jobs that run well.`,
  );
  demand(
    times.retryBackoffMs <= times.retryBackoffMaxMs,
    `${said('retryBackoffMs')} must not be longer than ${said('retryBackoffMaxMs')}.`,
  );
  demand(
    times.quarantineMs <= times.quarantineMaxMs,
    `${said('quarantineMs')} must not be longer than ${said('quarantineMaxMs')}.`,
  );
  return problems;
}
