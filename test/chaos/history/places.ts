/**
 * Looks, all through a run, for jobs that stand in two places at once: in a queue and under an offer or a lease, or under
 * both. Each look is one script, so what it sees is one moment.
 *
 * Invariant: a Redis that is away or frozen is no finding; the next look comes later.
 */
import { Cluster } from 'ioredis';
import { openCells } from '../../../coordinator/queue/cells.ts';
import { keys } from '../../../coordinator/queue/keys.ts';
import type { Cell } from '../../../coordinator/queue/keys.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';
import type { RedisConnection } from '../../../runtime/redis/connect.ts';

const EVERY_MS = 250;

/** KEYS: the cell's meta key, offers, leases, then its queues. Gives "place+place ref" of every job in two places. */
const LOOK = `#!lua flags=no-writes,allow-oom
local at, twice = {}, {}
for k = 2, #KEYS do
  local place = k == 2 and 'offered' or k == 3 and 'leased' or 'queued'
  for _, member in ipairs(redis.call('ZRANGE', KEYS[k], 0, -1)) do
    local ref = place == 'queued' and string.sub(member, 12) or member
    -- The entry of a solo record names its workflow alone.
    if #ref == 26 then ref = ref .. '-0-0' end
    if at[ref] then twice[#twice + 1] = at[ref] .. '+' .. place .. ' job_' .. ref end
    at[ref] = place
  end
end
return twice`;

export class Places {
  readonly findings = new Set<string>();
  readonly #redisUrl: string;
  readonly #namespace: string;
  #connection: RedisConnection | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(redisUrl: string, namespace = 'dibs') {
    this.#redisUrl = redisUrl;
    this.#namespace = namespace;
  }

  /** Needs a coordinator that has made the key space. */
  async start(): Promise<void> {
    const redis = await connectRedis({ target: this.#redisUrl, name: 'chaos-places' });
    this.#connection = redis;
    const masters = redis instanceof Cluster ? redis.nodes('master').length : 1;
    const cells = await openCells(redis, { namespace: this.#namespace, count: 0, masters });
    let looking = false;
    this.#timer = setInterval(() => {
      if (looking) return;
      looking = true;
      Promise.all(cells.map((cell) => this.#look(redis, cell)))
        .catch(() => {})
        .finally(() => (looking = false));
    }, EVERY_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#connection !== undefined) await closeRedis(this.#connection);
    this.#connection = undefined;
  }

  async #look(redis: RedisConnection, cell: Cell): Promise<void> {
    const classes = await redis.hkeys(keys.classes(cell));
    const queues = classes.map((name) => keys.queue(cell, name));
    const read = [keys.meta(cell), keys.offers(cell), keys.leases(cell), ...queues];
    for (const twice of (await redis.call('EVAL', [LOOK, String(read.length), ...read])) as string[])
      this.findings.add(twice);
  }
}
