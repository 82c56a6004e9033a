/** Names of the agents that ever joined, by their ids, from the fleet's own records. */
import { keys } from '../../../coordinator/queue/keys.ts';
import { closeRedis, connectRedis } from '../../../runtime/redis/connect.ts';

export async function agentNamesIn(redisUrl: string, namespace = 'dibs'): Promise<Map<string, string>> {
  const redis = await connectRedis({ target: redisUrl, name: 'chaos-checker' });
  try {
    const names = new Map<string, string>();
    for (const [id, text] of Object.entries(await redis.hgetall(keys.agents(namespace))))
      names.set(id, (JSON.parse(text) as { name: string }).name);
    return names;
  } finally {
    await closeRedis(redis);
  }
}
