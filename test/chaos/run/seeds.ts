/**
 * `npm run chaos -- [--seconds 60] [--seed 1] [--seeds 1] [-o json] [--redis single|cluster] [--netns]
 *  [--faults kill-agent,cut,…] [--keep]`
 *
 * Progress goes to standard error, a line for each seed to standard output, with `-o json` an object. Exit code 0 only
 * when nothing was lost, doubled or violated. What a run wrote down is kept when something was, or on `--keep`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FAULT_KINDS } from '../faults/kinds.ts';
import type { FaultKind } from '../faults/plan.ts';
import { runChaos } from './chaos.ts';
import type { ChaosResult } from './chaos.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    output: { type: 'string', short: 'o', default: 'table' },
    redis: { type: 'string', default: 'single' },
    faults: { type: 'string' },
    netns: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const json = values.output === 'json';

async function seeds(): Promise<boolean> {
  const first = Number(values.seed);
  const results: ChaosResult[] = [];
  for (let seed = first; seed < first + Number(values.seeds) && !stop.signal.aborted; seed++) {
    const folder = await mkdtemp(join(tmpdir(), `dibs-chaos-${seed}-`));
    const cluster = values.redis === 'cluster';
    const result = await runChaos({
      seed,
      seconds: Number(values.seconds),
      folder,
      redis: cluster ? 'cluster' : 'single',
      faults: wantedFaults(),
      netns: values.netns,
      signal: stop.signal,
      say,
    });
    results.push(result);
    report(result);
    if (result.violations.length > 0 || values.keep) say(`Everything that was written down: ${folder}`);
    else await rm(folder, { recursive: true, force: true });
  }
  return results.every(({ violations }) => violations.length === 0) && !stop.signal.aborted;
}

function wantedFaults(): ReadonlySet<FaultKind> {
  const wanted = values.faults?.split(',') ?? FAULT_KINDS;
  const unknown = wanted.filter((kind) => !FAULT_KINDS.includes(kind as FaultKind));
  if (unknown.length > 0)
    throw new Error(`No such fault: ${unknown.join(', ')}. There are: ${FAULT_KINDS.join(', ')}.`);
  return new Set(wanted as FaultKind[]);
}

function report(result: ChaosResult): void {
  const { seed, acked, lost, duplicates, violations, stalls, zombiesRejected, recoveryMs, faults } = result;
  for (const { rule, what } of violations) say(`VIOLATION (${rule}): ${what}`);
  if (json) {
    console.log(JSON.stringify({ ...result, violations: violations.length }));
    return;
  }
  const total = Object.values(faults).reduce((sum, count) => sum + count, 0);
  console.log(
    `seed ${seed}: ${acked} workflows acknowledged, ${lost} lost, ${duplicates} duplicates, ${violations.length} violations; ` +
      `${total} faults, ${stalls} stalls, ${zombiesRejected} late results refused, ` +
      `recovery p50 ${recoveryMs.p50} ms, p99 ${recoveryMs.p99} ms`,
  );
}

process.exitCode = (await seeds()) ? 0 : 1;
