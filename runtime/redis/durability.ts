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

export interface Demand {
  /** Of redis.conf. */
  readonly setting: string;
  readonly isMet: (value: string) => boolean;
  readonly remedy: string;
}

const ON_DISK: readonly Demand[] = [
  { setting: 'appendonly', isMet: (value) => value === 'yes', remedy: 'set appendonly to yes' },
  { setting: 'appendfsync', isMet: (value) => value === 'always', remedy: 'set appendfsync to always' },
];

/** What a tier demands of the configuration of every node. */
export function demandsOf(durability: Durability, replicas: number): readonly Demand[] {
  if (durability === 't1') return [];
  if (durability === 't2') return ON_DISK;
  return [
    ...ON_DISK,
    {
      setting: 'min-replicas-to-write',
      isMet: (value) => Number(value) >= replicas,
      remedy: `set min-replicas-to-write to ${replicas} or more, so that a master cut off from its replicas takes nothing`,
    },
  ];
}
