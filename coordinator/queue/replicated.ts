/**
 * Script calls that count only once enough replicas have what they wrote (durability t3).
 *
 * Invariants:
 * 1. Call, barrier and WAIT leave on one connection one after the other, so the wait costs no round trip of its own. On a
 *    Cluster, where the call may be redirected, barrier and WAIT follow it.
 * 2. The barrier is a write of its own: WAIT looks at what its connection wrote last, and a repeated call may have nothing
 *    to write, its first try having gone over another connection.
 * 3. A wait in vain is an error like a lost reply: the call may have happened, it is not acknowledged, and it is repeated.
 *
 * The connection is used for nothing else: WAIT holds up what comes after it.
 */
import { Cluster } from 'ioredis';
import type { Redis } from 'ioredis';
import { keys } from './keys.ts';
import type { Send } from './scripts.ts';

/** A write that is also taken when memory is full. */
const BARRIER = "#!lua flags=allow-oom\nredis.call('SET', KEYS[1], '')";

export interface ReplicaWait {
  /** How many replicas must confirm. */
  readonly replicas: number;
  readonly waitMs: number;
}

export function sendReplicated(redis: Redis | Cluster, wait: ReplicaWait): Send {
  const { replicas, waitMs } = wait;
  return async (command, args, cell) => {
    if (redis instanceof Cluster) {
      const reply = await redis.callBuffer(command, args);
      const [barrier, confirmed] = (await redis
        .pipeline()
        .eval(BARRIER, 1, keys.barrier(cell))
        .call('WAIT', replicas, waitMs)
        .exec()) as [[Error | null, unknown], [Error | null, unknown]];
      demand(barrier[0] ?? confirmed[0] ?? confirmed[1], wait);
      return reply;
    }
    const [reply, barrier, confirmed] = await Promise.all([
      redis.callBuffer(command, args),
      redis.eval(BARRIER, 1, keys.barrier(cell)).catch(asValue),
      redis.call('WAIT', replicas, waitMs).catch(asValue),
    ]);
    demand(barrier instanceof Error ? barrier : confirmed, wait);
    return reply;
  };
}

/** What follows the call may meet a server that has become a replica, and says so in words of its own. */
function asValue(error: unknown): unknown {
  return error;
}

/** Redis' own word, which the store takes for "not now". */
function demand(found: unknown, { replicas, waitMs }: ReplicaWait): void {
  if (Number(found) >= replicas) return;
  const cause = found instanceof Error ? { cause: found } : {};
  const count = found instanceof Error ? 0 : Number(found);
  throw new Error(
    `NOREPLICAS ${count} of ${replicas} replicas confirmed a write within ${waitMs} ms.`,
    cause,
  );
}
