/** What an acknowledgement survives, as settings. `dibs coordinator` and `dibs dev` take the same. */
import { z } from 'zod';
import { defineSettings } from '../../runtime/config.ts';
import { DURABILITIES } from '../../runtime/redis/durability.ts';
import { duration, wholeNumber } from '../../runtime/setting-types.ts';

export const durabilitySettings = defineSettings({
  durability: {
    schema: z.enum(DURABILITIES, { error: 'must be t1, t2 or t3' }),
    default: 't1',
    doc: 'What an acknowledgement survives: t1 any crash but that of Redis, t2 that and a power cut, t3 the loss of the Redis master.',
  },
  replicas: {
    schema: wholeNumber(1, 100),
    default: 1,
    doc: 'With t3: how many replicas must have a write before it is acknowledged; all that may be promoted, to be sure of each failover.',
  },
  replicaWait: {
    schema: duration,
    default: '1s',
    doc: 'With t3: how long a write waits for them before it is tried again.',
  },
});
