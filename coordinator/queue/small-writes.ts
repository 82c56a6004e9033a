/**
 * Writes of a few small fields beside the cells: agents, step types, the creation record.
 *
 * Invariant: they are taken while memory is full, as everything is that lets work drain: an agent that comes back must be
 * greeted, a coordinator must start. What they write is bounded by the size of the fleet, not by the work.
 */
import type { Cluster, Redis } from 'ioredis';

/** Sets the fields in ARGV. */
export const SET = "#!lua flags=allow-oom\nreturn redis.call('HSET', KEYS[1], unpack(ARGV))";
/** Sets those of the fields in ARGV that are not there yet. */
export const SET_MISSING = `#!lua flags=allow-oom
for i = 1, #ARGV, 2 do redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1]) end`;

/** Fields of a hash; at most some hundred. */
export async function setFields(
  redis: Redis | Cluster,
  key: string,
  fields: Readonly<Record<string, string>>,
): Promise<void> {
  await redis.eval(SET, 1, key, ...Object.entries(fields).flat());
}

/** Those that are not there yet. */
export async function setMissingFields(
  redis: Redis | Cluster,
  key: string,
  fields: Readonly<Record<string, string>>,
): Promise<void> {
  await redis.eval(SET_MISSING, 1, key, ...Object.entries(fields).flat());
}
