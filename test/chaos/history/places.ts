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

/**
 * KEYS: the cell's meta key, offers, leases, then its queues. Gives "place+place ref" of every job in two places. A slice of a
 * run stands for those of its jobs that have no record of their own.
 */
const LOOK = `#!lua flags=no-writes,allow-oom
local at, twice = {}, {}
for k = 2, #KEYS do
  local place = k == 2 and 'offered' or k == 3 and 'leased' or 'queued'
  for _, member in ipairs(redis.call('ZRANGE', KEYS[k], 0, -1)) do
    local ref = place == 'queued' and string.sub(member, 12) or member
    -- The entry of a solo record names its workflow alone.
    if #ref == 26 then ref = ref .. '-0-0' end
    local refs = {ref}
    local step, n, count = string.match(ref, '^(.*)%-(%d+)%+(%d+)$')
    if step then
      refs = {}
      local bucket = string.sub(KEYS[1], 1, -2) .. 'w:' .. string.sub(ref, 3, 3)
      -- The entry of a queue counts the jobs that wait; some between them may have left.
      local i, left = 0, tonumber(count)
      while left > 0 and i < 64 do
        local one = step .. '-' .. string.format('%d', n + i)
        local own = redis.call('HEXISTS', bucket, one) == 1
        if not own then refs[#refs + 1] = one end
        if not own or place == 'offered' then left = left - 1 end
        i = i + 1
      end
    end
    for _, one in ipairs(refs) do
      if at[one] then twice[#twice + 1] = at[one] .. '+' .. place .. ' job_' .. one end
      at[one] = place
    end
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
