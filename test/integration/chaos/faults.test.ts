/** The runner of faults on two idle processes: what waits, what is left out, what an abort and `heal` leave behind. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FaultRunner } from '../../chaos/faults/act.ts';
import type { Fault } from '../../chaos/faults/plan.ts';
import { Fleet } from '../../chaos/fleet/fleet.ts';
import { SCALED_TIMES } from '../../chaos/fleet/times.ts';
import '../../support/leaks.ts';
import { until } from '../../support/until.ts';

let folder: string;
let fleet: Fleet;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dibs-faults-'));
  file = join(folder, 'faults.jsonl');
  const nobody = { coordinators: 0, agents: [], durability: 't1', redis: 'single', proxied: false } as const;
  fleet = new Fleet({ folder, times: SCALED_TIMES, ...nobody });
  for (const name of ['one', 'two'])
    await fleet.addConsumer(name, ['--eval', 'setInterval(() => undefined, 1000)']).start();
});
afterEach(async () => {
  await fleet.stop();
  await rm(folder, { recursive: true, force: true });
});

async function lines(): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    if (line === '') return [];
    const { what, kind, target } = JSON.parse(line) as Fault & { what: string };
    return [`${target}: ${kind} ${what}`];
  });
}

test('a fault waits for its target, and is left out when there is no time left for it', async () => {
  const runner = new FaultRunner(file);
  const plan: Fault[] = [
    { atMs: 0, kind: 'kill-consumer', target: 'one', forMs: 20 },
    { atMs: 0, kind: 'clock-jump', target: 'two', forMs: 2_000, jumpMs: 3_600_000 },
    { atMs: 5, kind: 'freeze-consumer', target: 'one', forMs: 10 },
    { atMs: 10, kind: 'kill-consumer', target: 'two', forMs: 500 },
  ];
  await runner.run(plan, fleet, [], new AbortController().signal);
  const said = await lines();
  expect(said.filter((line) => line.startsWith('one'))).toEqual([
    'one: kill-consumer begins',
    'one: kill-consumer undone',
    'one: freeze-consumer begins',
    'one: freeze-consumer undone',
  ]);
  expect(said.filter((line) => line.startsWith('two'))).toEqual([
    'two: clock-jump begins',
    'two: clock-jump undone',
    'two: kill-consumer skipped',
  ]);
  expect(runner.counts).toEqual({ 'kill-consumer': 1, 'clock-jump': 1, 'freeze-consumer': 1 });
  expect(fleet.members().map(({ state, restarts }) => [state, restarts])).toEqual([
    ['up', 1],
    ['up', 0],
  ]);
  expect(fleet.findings).toEqual([]);
});

test('an abort undoes at once what is under way; heal starts what is down', async () => {
  const runner = new FaultRunner(file);
  const stop = new AbortController();
  const [one, two] = fleet.consumers;
  const running = runner.run(
    [
      { atMs: 0, kind: 'freeze-consumer', target: 'one', forMs: 3_600_000 },
      { atMs: 3_600_000, kind: 'kill-consumer', target: 'two', forMs: 1 },
    ],
    fleet,
    [],
    stop.signal,
  );
  await until('the freeze', () => one?.state === 'frozen');
  await two?.kill();
  stop.abort();
  await running;
  expect([one?.state, two?.state]).toEqual(['up', 'down']);
  await runner.heal();
  expect(two?.state).toBe('up');
});
