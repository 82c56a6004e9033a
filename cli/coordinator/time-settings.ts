/** The times of a coordinator as settings. `dibs coordinator` and `dibs dev` take the same. */
import type { CoordinatorTimes } from '../../coordinator/times.ts';
import { defineSettings } from '../../runtime/config.ts';
import type { Values } from '../../runtime/config.ts';
import { duration, wholeNumber } from '../../runtime/setting-types.ts';

export const timeSettings = defineSettings({
  heartbeatInterval: { schema: duration, default: '30s', doc: 'How often agents report.' },
  lease: {
    schema: duration,
    default: '2m',
    doc: 'A held job without a sign of life for this long is stalled.',
  },
  offerLease: {
    schema: duration,
    default: '15s',
    doc: 'An offer that is not accepted within this time goes back.',
  },
  sweepInterval: { schema: duration, default: '1m', doc: 'How often stalled jobs are looked for.' },
  sweepSlack: {
    schema: duration,
    default: '15s',
    doc: 'A gap between two looks that is longer than the interval by more than this was an outage: the next look waits one lease.',
  },
  maxRecoveries: {
    schema: wholeNumber(0, 100),
    default: 3,
    doc: 'Recoveries of a stalled job before it fails.',
  },
  avoid: {
    schema: duration,
    default: '5s',
    doc: 'How long a retried or recovered job is kept from the agent that lost it, while others may take it.',
  },
  retryBackoff: {
    schema: duration,
    default: '1s',
    doc: 'Longest wait before a first retry; doubles with each further one.',
  },
  retryBackoffMax: { schema: duration, default: '1m', doc: 'Longest wait before any retry.' },
  quarantineTime: {
    schema: duration,
    default: '1m',
    doc: 'How long an agent that fails where others do not gets no jobs; doubles each time it fails its trial.',
  },
  quarantineTimeMax: { schema: duration, default: '1h', doc: 'Longest time without a trial.' },
  dueInterval: {
    schema: duration,
    default: '1s',
    doc: 'How often lapsed offers, timers and undecided workflows are looked for.',
  },
  undecided: {
    schema: duration,
    default: '2s',
    doc: 'A workflow whose news nobody has decided upon for this long is taken up by any coordinator.',
  },
  pollInterval: {
    schema: duration,
    default: '1s',
    doc: 'How often work is asked for without being told of any; covers lost messages.',
  },
  slowReader: {
    schema: duration,
    default: '30s',
    doc: 'A stream whose other end takes nothing for this long is ended; it may go on with another.',
  },
});

export function timesOf(values: Values<typeof timeSettings>): CoordinatorTimes {
  return {
    heartbeatMs: values.heartbeatInterval,
    leaseMs: values.lease,
    offerMs: values.offerLease,
    sweepMs: values.sweepInterval,
    sweepSlackMs: values.sweepSlack,
    maxRecoveries: values.maxRecoveries,
    avoidMs: values.avoid,
    dueMs: values.dueInterval,
    undecidedMs: values.undecided,
    pollMs: values.pollInterval,
    slowReaderMs: values.slowReader,
    retryBackoffMs: values.retryBackoff,
    retryBackoffMaxMs: values.retryBackoffMax,
    quarantineMs: values.quarantineTime,
    quarantineMaxMs: values.quarantineTimeMax,
  };
}
