/** The cancel ladder: what is told to stop stops, with all it started; nothing else does. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fixture, isAlive, openBench, untilGone, type Bench, type Job } from './harness.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench([fixture('behaviours')]);
});
afterEach(() => bench[Symbol.asyncDispose]());

const pids = async (job: Job): Promise<number[]> => (await job.spoke).split(' ').map(Number);

it('an executor that obeys keeps its process', async () => {
  const job = bench.run('test.wait');
  const [pid = 0] = await pids(job);
  job.running.cancel('user');
  expect(await job.done).toMatchObject({ verdict: 'canceled', reason: 'CANCELED_BY_USER' });
  expect(isAlive(pid)).toBe(true);
  const next = bench.run('test.wait');
  expect(await pids(next)).toEqual([pid]);
  next.running.cancel('user');
  await next.done;
});

it('what an obeying executor left running is killed', async () => {
  const job = bench.run('test.littering');
  const [pid = 0, grandchild = 0] = await pids(job);
  job.running.cancel('user');
  expect(await job.done).toMatchObject({ verdict: 'canceled' });
  await untilGone([grandchild]);
  expect(isAlive(pid)).toBe(true);
});

it('a busy loop is killed', async () => {
  const job = bench.run('test.busy');
  const [pid = 0] = await pids(job);
  job.running.cancel('user');
  const result = await job.done;
  expect(result).toMatchObject({ verdict: 'canceled', reason: 'CANCELED_BY_USER' });
  expect(result.runMs).toBeGreaterThan(250);
  expect(isAlive(pid)).toBe(false);
});

it('a busy loop that runs too long is killed', async () => {
  const job = bench.run('test.busy', null, { timeoutMs: 50 });
  const [pid = 0] = await pids(job);
  expect(await job.done).toMatchObject({ verdict: 'timed_out', reason: 'DEADLINE_EXCEEDED_RUNNING' });
  expect(isAlive(pid)).toBe(false);
  const next = bench.run('test.busy', null, { timeoutMs: 50 });
  expect((await pids(next))[0]).not.toBe(pid);
  await next.done;
});

it('of two siblings exactly one is killed, with its grandchild', async () => {
  const [victim, sibling] = [bench.run('test.stubborn'), bench.run('test.stubborn')];
  const dead = await pids(victim);
  const alive = await pids(sibling);
  expect(new Set([...dead, ...alive]).size).toBe(4);
  victim.running.cancel('user');
  expect(await victim.done).toMatchObject({ verdict: 'canceled' });
  await untilGone(dead);
  expect(alive.map(isAlive)).toEqual([true, true]);
  expect(bench.host.processes().map(({ pid }) => pid)).toEqual([alive[0]]);
  sibling.running.cancel('shutdown');
  expect(await sibling.done).toMatchObject({ reason: 'SHUTDOWN' });
  await untilGone(alive);
});

it('stop ends everything that runs, waits or loads', async () => {
  const jobs = ['test.busy', 'test.busy', 'test.stubborn', 'test.wait', 'test.pid'].map((type) =>
    bench.run(type),
  );
  const busy = jobs[0] as Job;
  const stubborn = jobs[2] as Job;
  const all = [...(await pids(busy)), ...(await pids(stubborn))];
  await bench.host.stop();
  await bench.host.stop();
  const results = await Promise.all(jobs.map((job) => job.done));
  for (const [index, result] of results.entries()) {
    if (index < 4) expect(result).toMatchObject({ verdict: 'canceled', reason: 'SHUTDOWN' });
  }
  await untilGone(all);
  expect(bench.host.processes()).toEqual([]);
  expect(await bench.run('test.pid').done).toMatchObject({ verdict: 'canceled', reason: 'SHUTDOWN' });
});
