/** Whatever an executor does, inline and process isolation report the same. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, openBench, type Bench } from './harness.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench([fixture('parity')], { maxOutputBytes: 1000 });
});
afterAll(() => bench[Symbol.asyncDispose]());

describe.each(['inline', 'process'])('%s', (isolation) => {
  const run = async (type: string, input: unknown = null) => {
    const job = bench.run(`${isolation}.${type}`, input);
    const { runMs, ...result } = await job.done;
    expect(runMs).toBeGreaterThanOrEqual(0);
    return { ...result, events: job.events, emitted: job.emitted };
  };

  it.each([{ a: [1, 'x', null] }, 'text', 0, null, []])('returns %j as it is', async (value) => {
    expect(await run('echo', value)).toMatchObject({
      verdict: 'succeeded',
      outputJson: JSON.stringify(value),
      reason: '',
    });
  });

  it('takes undefined for null', async () => {
    expect(await run('nothing')).toMatchObject({ verdict: 'succeeded', outputJson: 'null' });
  });

  it('waits for a promise', async () => {
    expect(await run('late', 1)).toMatchObject({ outputJson: '{"got":1}', events: ['started'] });
  });

  it.each(['function', 'bigint', 'cycle'])('refuses %s as output', async (type) => {
    expect(await run(type)).toMatchObject({ verdict: 'fatal', reason: 'EXECUTOR_CONTRACT', outputJson: '' });
  });

  it('measures outputs in bytes', async () => {
    expect(await run('large', { n: 499 })).toMatchObject({ verdict: 'succeeded' });
    expect(await run('large', { n: 500 })).toMatchObject({ verdict: 'fatal', reason: 'OUTPUT_TOO_LARGE' });
  });

  it('keeps the reason and the blocked reason of a failure', async () => {
    expect(await run('fatal')).toMatchObject({
      verdict: 'fatal',
      reason: 'MY_REASON',
      message: 'no',
      blockedReason: 'because',
    });
  });

  it('takes a rejection for a retryable failure', async () => {
    expect(await run('rejects')).toMatchObject({
      verdict: 'retryable',
      reason: 'EXECUTOR_ERROR',
      message: 'later',
    });
  });

  it('fills in defaults of a Standard Schema and checks the output', async () => {
    expect(await run('zod', {})).toMatchObject({ outputJson: '{"twice":42}' });
    expect(await run('zod', { n: 'x' })).toMatchObject({
      verdict: 'fatal',
      reason: 'INVALID_INPUT',
      message: /^n: /,
    });
    expect(await run('zod', { n: 51 })).toMatchObject({ verdict: 'fatal', reason: 'EXECUTOR_CONTRACT' });
  });

  it('checks against a plain JSON Schema', async () => {
    expect(await run('schema', { n: 1 })).toMatchObject({ outputJson: '1' });
    const refused = await run('schema', { n: 0.5 });
    expect(refused).toMatchObject({ verdict: 'fatal', reason: 'INVALID_INPUT' });
    expect(refused.message).toBe('n: must be integer; n: must be at least 1');
    expect(refused.events).toEqual(['started']);
  });

  it('refuses input that is not JSON', async () => {
    const job = bench.run(`${isolation}.echo`, null, { inputJson: '{' });
    expect(await job.done).toMatchObject({ verdict: 'fatal', reason: 'INVALID_INPUT' });
  });

  it('streams what a generator yields', async () => {
    expect(await run('generator')).toMatchObject({
      outputJson: '{"done":true}',
      events: ['started', 'chunk 0 one ', 'progress 0.5 half', 'chunk 1 two'],
    });
    expect(await run('async-generator')).toMatchObject({
      outputJson: '"ab"',
      events: ['started', 'chunk 0 a', 'chunk 1 b'],
    });
    expect(await run('bad-yield')).toMatchObject({ verdict: 'fatal', reason: 'EXECUTOR_CONTRACT' });
  });

  it('numbers batches of emitted jobs', async () => {
    expect(await run('emit-jobs')).toMatchObject({
      events: ['started', 'emitJobs 1', 'emitJobs 2'],
      emitted: [['{"a":1}', '{"a":2}'], ['"third"']],
      outputJson: '"emitted"',
    });
  });

  it('tells a missing artifact from a wrong reference', async () => {
    expect(await run('missing-artifact')).toMatchObject({ verdict: 'retryable', reason: 'RESOURCE_ERROR' });
    expect(await run('bad-artifact', { $artifact: '../etc/passwd' })).toMatchObject({
      verdict: 'fatal',
      reason: 'INVALID_INPUT',
    });
  });

  it('names the job to the executor', async () => {
    const job = bench.run(`${isolation}.identity`, null, { jobId: 'job_x', attempt: 3, idempotencyKey: 'k' });
    const { outputJson } = await job.done;
    expect(JSON.parse(outputJson)).toEqual({
      jobId: 'job_x',
      attempt: 3,
      idempotencyKey: 'k',
      aborted: false,
    });
  });

  it.each([
    ['user', 'CANCELED_BY_USER'],
    ['fail_fast', 'FAIL_FAST'],
    ['lease_lost', 'LEASE_LOST'],
    ['deadline', 'DEADLINE_EXCEEDED_RUNNING'],
    ['shutdown', 'SHUTDOWN'],
  ] as const)('cancels for %s', async (why, reason) => {
    const job = bench.run(`${isolation}.forever`);
    await job.spoke;
    job.running.cancel(why);
    job.running.cancel('user');
    expect(await job.done).toMatchObject({ verdict: 'canceled', reason, outputJson: '' });
  });

  it('leaves an endless generator at its next yield', async () => {
    const job = bench.run(`${isolation}.endless-generator`);
    await job.spoke;
    job.running.cancel('user');
    expect(await job.done).toMatchObject({ verdict: 'canceled' });
    await expect
      .poll(() => bench.lines.filter((line) => line.message === 'cleaned up').length)
      .toBeGreaterThan(0);
    bench.lines.length = 0;
  });

  it('ends an attempt that runs too long', async () => {
    const job = bench.run(`${isolation}.forever`, null, { timeoutMs: 30 });
    const result = await job.done;
    expect(result).toMatchObject({ verdict: 'timed_out', reason: 'DEADLINE_EXCEEDED_RUNNING' });
    expect(result.runMs).toBeGreaterThanOrEqual(29);
  });

  it('queues what has no place and drops what is canceled there', async () => {
    const running = [bench.run(`${isolation}.forever`), bench.run(`${isolation}.forever`)];
    await Promise.all(running.map((job) => job.spoke));
    const queued = bench.run(`${isolation}.forever`);
    queued.running.cancel('user');
    expect(await queued.done).toMatchObject({ verdict: 'canceled', reason: 'CANCELED_BY_USER', runMs: 0 });
    expect(queued.events).toEqual([]);
    const next = bench.run(`${isolation}.forever`);
    running[0]?.running.cancel('user');
    await next.spoke;
    for (const job of [running[1], next]) job?.running.cancel('user');
    await Promise.all([...running, next].map((job) => job?.done));
  });
});
