/**
 * What an acknowledgement survives: three tiers, and what each asks of Redis.
 *
 * t1: any crash of coordinators, agents and clients; a crash of Redis may cost the last two seconds. t2: a crash of Redis and
 * a power cut as well. t3: the loss of a master with its disk as well.
 */

export const DURABILITIES = ['t1', 't2', 't3'] as const;
export type Durability = (typeof DURABILITIES)[number];

/** Settings of a Redis that is started for a tier, as in redis.conf. */
export function durabilitySettings(durability: Durability): Readonly<Record<string, string>> {
  return durability === 't1' ? {} : { appendfsync: 'always' };
}

/** What a tier demands of the configuration of every node: [setting, is it met, what to do]. */
export const DEMANDS: Readonly<
  Record<Durability, readonly (readonly [string, (value: string) => boolean, string])[]>
> = {
  t1: [],
  t2: [
    ['appendonly', (value) => value === 'yes', 'set appendonly to yes'],
    ['appendfsync', (value) => value === 'always', 'set appendfsync to always'],
  ],
  t3: [
    ['appendonly', (value) => value === 'yes', 'set appendonly to yes'],
    ['appendfsync', (value) => value === 'always', 'set appendfsync to always'],
    [
      'min-replicas-to-write',
      (value) => Number(value) >= 1,
      'set min-replicas-to-write to 1 or more, so that a master cut off from its replicas takes nothing',
    ],
  ],
};
