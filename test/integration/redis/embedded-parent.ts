/** A process with a private Redis, for embedded.test.ts to kill. Says where Redis is, then lives until told to end. */
import { startEmbeddedRedis } from '../../../runtime/redis/embedded.ts';

const redis = await startEmbeddedRedis({ folder: process.argv[2] ?? '' });
console.log(JSON.stringify({ pid: redis.pid, url: redis.url }));

process.stdin.on('data', (data) => {
  // "leave": end without stopping Redis; "stop": the clean way.
  if (data.toString().startsWith('leave')) process.exit(0);
  void redis.stop().then(() => process.exit(0));
});
