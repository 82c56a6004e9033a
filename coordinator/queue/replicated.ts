/**
 * Script calls that count only once a replica has what they wrote (durability t3).
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

export function sendReplicated(redis: Redis | Cluster, waitMs: number): Send {
  return async (command, args, cell) => {
    if (redis instanceof Cluster) {
      const reply = await redis.callBuffer(command, args);
      const [barrier, wait] = (await redis
        .pipeline()
        .eval(BARRIER, 1, keys.barrier(cell))
        .call('WAIT', 1, waitMs)
        .exec()) as [[Error | null, unknown], [Error | null, unknown]];
      demandReplica(barrier[0] ?? wait[0] ?? wait[1], waitMs);
      return reply;
    }
    const [reply, , replicas] = await Promise.all([
      redis.callBuffer(command, args),
      redis.eval(BARRIER, 1, keys.barrier(cell)),
      redis.call('WAIT', 1, waitMs),
    ]);
    demandReplica(replicas, waitMs);
    return reply;
  };
}

/** Redis' own word, which the store takes for "not now". */
function demandReplica(found: unknown, waitMs: number): void {
  if (Number(found) >= 1) return;
  const cause = found instanceof Error ? { cause: found } : {};
  throw new Error(`NOREPLICAS No replica has confirmed a write within ${waitMs} ms.`, cause);
}
