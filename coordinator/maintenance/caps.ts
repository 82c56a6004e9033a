/**
 * Entries of tenants at their cap: brought back as soon as there is room.
 *
 * The scripts do so as jobs end; here is what they cannot see: a cap that was raised, or taken away.
 */
import type { Cluster, Redis } from 'ioredis';
import { keys } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';
import type { Store } from '../queue/store.ts';

/** Entries of one call. */
const CHUNK = 256;

export interface CapsOptions {
  readonly redis: Redis | Cluster;
  readonly cells: readonly Cell[];
  readonly store: Store;
  /** Tenants with a cap, and the jobs each may hold in one cell. */
  readonly caps: ReadonlyMap<string, number>;
  /** Jobs may be there to claim. */
  readonly onBack: (cell: Cell) => void;
}

export class CapKeeper {
  readonly #options: CapsOptions;

  constructor(options: CapsOptions) {
    this.#options = options;
  }

  /** Once, before anything is claimed: what is parked for tenants that have no cap any more comes back. */
  async begin(): Promise<void> {
    const { redis, cells, caps } = this.#options;
    await Promise.all(
      cells.map(async (cell) => {
        const counted = (await redis.hkeys(keys.held(cell))).filter((tenant) => tenant !== '');
        for (const tenant of counted) if (!caps.has(tenant)) await this.#bringBack(cell, tenant, Infinity);
        // Nobody counts any more: counting begins anew with the next cap.
        if (caps.size === 0 && counted.length > 0) await redis.del(keys.held(cell));
      }),
    );
  }

  async run(): Promise<void> {
    const { redis, cells, caps } = this.#options;
    for (const cell of cells) {
      for (const [tenant, cap] of caps) {
        if ((await redis.zcard(keys.parked(cell, `cap:${tenant}`))) === 0) continue;
        const room = cap - Number((await redis.hget(keys.held(cell), tenant)) ?? 0);
        if (room > 0) await this.#bringBack(cell, tenant, room);
      }
    }
  }

  async #bringBack(cell: Cell, tenant: string, room: number): Promise<void> {
    const { redis, store, onBack } = this.#options;
    const cause = `cap:${tenant}`;
    if ((await redis.zcard(keys.parked(cell, cause))) === 0) return;
    let left = room;
    for (let parked = 1; parked > 0 && left > 0; left -= CHUNK)
      parked = await store.unpark(cell, cause, Math.min(left, CHUNK));
    onBack(cell);
  }
}
