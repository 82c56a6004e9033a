// Unit costs inside Redis scripts: what one call, one pack, one slice takes. node bench/layouts/costs.ts [-o json]
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { PrivateRedis } from './server.ts';

const { values: options } = parseArgs({
  options: { output: { type: 'string', short: 'o', default: 'table' } },
});
const ROUNDS = 7;
const body = await readFile(new URL('costs.lua', import.meta.url), 'utf8');
const server = await PrivateRedis.start();
try {
  const sha = (await server.redis.script('LOAD', body)) as string;
  const names = (await server.redis.evalsha(sha, 1, '{c0}', 'names', '0')) as string[];
  const times = new Map<string, number[]>();
  await server.clear();
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      const loops = name.includes('64') ? 500 : 20_000;
      const before = await server.sample();
      await server.redis.evalsha(sha, 1, '{c0}', name, String(loops));
      const spent = (await server.sample()).scriptUs - before.scriptUs;
      times.set(name, [...(times.get(name) ?? []), spent / loops / (name.includes('per ') ? 64 : 1)]);
    }
    await server.clear();
  }
  // The least of the rounds: a unit cost is what it takes undisturbed.
  const costs = [...times].map(([name, list]) => ({ name, us: Math.round(Math.min(...list) * 1000) / 1000 }));
  costs.sort((a, b) => a.name.localeCompare(b.name));
  if (options.output === 'json') console.log(JSON.stringify({ bench: 'layouts/costs', costs }));
  else console.table(costs);
} finally {
  await server.stop();
}
