// Compares Redis key layouts: script time and bytes per single-step workflow lifetime, and per waiting fan-out job.
// node bench/layouts/run.ts [-n 20000] [-r 5] [-b 1,32,64,256] [-l A,B,C] [-o json]
import { parseArgs } from 'node:util';
import { LAYOUTS, load } from './layouts.ts';
import { fanOut, lifetime, type FanOut, type Lifetime } from './lifetime.ts';
import { PrivateRedis } from './server.ts';

const { values: options } = parseArgs({
  options: {
    count: { type: 'string', short: 'n', default: '20000' },
    rounds: { type: 'string', short: 'r', default: '5' },
    batches: { type: 'string', short: 'b', default: '1,32,64,256' },
    layouts: { type: 'string', short: 'l', default: LAYOUTS.map((l) => l.name).join(',') },
    output: { type: 'string', short: 'o', default: 'table' },
  },
});
const count = Number(options.count);
const rounds = Number(options.rounds);
const batches = options.batches.split(',').map(Number);
const names = options.layouts.split(',');
const layouts = LAYOUTS.filter((l) => names.includes(l.name));

function median(list: number[]): number {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function medians<T extends object>(samples: T[]): T {
  const keys = Object.keys(samples[0]!) as (keyof T)[];
  const round = (n: number): number => Math.round(n * 100) / 100;
  return Object.fromEntries(keys.map((k) => [k, round(median(samples.map((s) => Number(s[k]))))])) as T;
}

const server = await PrivateRedis.start();
try {
  const lifetimes = new Map<string, Lifetime[]>();
  const fanOuts = new Map<string, FanOut[]>();
  for (let round = 0; round < rounds; round++) {
    for (const batch of batches) {
      for (const layout of layouts) {
        const sha = await load(server.redis, layout);
        if (round === 0 && batch === batches[0]) await lifetime(server, layout, sha, 2000, 64); // warms allocator and parser
        const key = `${layout.name}/${batch}`;
        lifetimes.set(key, [
          ...(lifetimes.get(key) ?? []),
          await lifetime(server, layout, sha, count, batch),
        ]);
      }
    }
    for (const layout of layouts) {
      if (layout.scripts.startsWith('c') && layout.scripts !== 'c') continue; // the fan-out of every C is that of C
      const sha = await load(server.redis, layout);
      fanOuts.set(layout.name, [...(fanOuts.get(layout.name) ?? []), await fanOut(server, sha)]);
    }
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  const single = layouts.flatMap((layout) =>
    batches.map((batch) => {
      const samples = lifetimes.get(`${layout.name}/${batch}`)!;
      const leastUs = Math.round(Math.min(...samples.map((s) => s.scriptUs)) * 100) / 100;
      return { layout: layout.name, batch, ...medians(samples), leastUs };
    }),
  );
  const fan = [...fanOuts].map(([layout, samples]) => ({ layout, ...medians(samples) }));
  if (options.output === 'json') {
    console.log(JSON.stringify({ bench: 'layouts', count, rounds, single, fan }));
  } else {
    console.log(`single-step workflow, N=${count}, medians of ${rounds} rounds, per workflow`);
    console.table(single);
    console.log('fan-out of 10,000 jobs, per job (claim and complete: one batch of 64)');
    console.table(fan);
  }
} finally {
  await server.stop();
}
