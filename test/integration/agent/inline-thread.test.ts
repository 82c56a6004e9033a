/** Inline executors in their thread: what crosses it, and what happens when one of them takes it for itself. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ThreadHost } from '../../../agent/claim/inline/thread-host.ts';
import type { ThreadHostOptions } from '../../../agent/claim/inline/thread-host.ts';
import { SplitHost } from '../../../agent/claim/inline/split-host.ts';
import type { ArtifactGateway, JobHooks, JobRequest } from '../../../agent/jobs/contract.ts';
import { BUILT_IN_EXECUTORS } from '../../../agent/executors/index.ts';
import { Verdict } from '../../../proto/gen/index.ts';
import { quietLog } from './support/agent-config.ts';
import { startAgent, startCoordinator, tempFolder } from './support/rig.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures/executors.ts');
const ECHO = (BUILT_IN_EXECUTORS['value.echo'] as { module: string }).module;

const nowhere: ArtifactGateway = {
  fetch: () => Promise.reject(new Error('no artifacts here')),
  store: () => Promise.reject(new Error('no artifacts here')),
};

async function startHost(about: Partial<ThreadHostOptions> = {}): Promise<ThreadHost> {
  const folder = await tempFolder();
  const host = new ThreadHost({
    modules: [FIXTURES, ECHO],
    artifacts: nowhere,
    log: quietLog,
    workRoot: folder,
    graceMs: 50,
    watchMs: 20,
    ...about,
  });
  onTestFinished(() => host.stop());
  await host.start();
  return host;
}

function request(jobId: string, type: string, input: unknown = {}, timeoutMs = 0): JobRequest {
  return {
    jobId,
    token: 't',
    type,
    inputJson: JSON.stringify(input),
    attempt: 1,
    timeoutMs,
    cost: 1,
    workflowId: 'wf',
    step: 's',
    index: 0,
    idempotencyKey: jobId,
  };
}

interface Heard extends JobHooks {
  readonly heard: unknown[];
  readonly begun: Promise<void>;
}

function hooks(): Heard {
  const heard: unknown[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    heard,
    begun: promise,
    started: () => {
      heard.push('started');
      resolve();
    },
    progress: (fraction, message) => void heard.push(['progress', fraction, message]),
    chunk: (index, data) => void heard.push(['chunk', index, data]),
    emitJobs: async (batch, inputs) => void heard.push(['emit', batch, inputs]),
  };
}

describe('the inline thread', () => {
  it('runs jobs in batches and keeps each with its own result', async () => {
    const host = await startHost();
    const runs = Array.from({ length: 500 }, (_, index) =>
      host.run(request(`job_${index}`, 'value.echo', index), hooks()),
    );
    const results = await Promise.all(runs.map((run) => run.done));
    expect(results.map(({ outputJson }) => Number(outputJson))).toEqual(runs.map((_, index) => index));
    expect(results.every(({ verdict }) => verdict === 'succeeded')).toBe(true);
  });

  it('carries progress, chunks, further jobs and artifacts across', async () => {
    const reference = {
      $artifact: `sha256:${'a'.repeat(64)}`,
      name: 'a.txt',
      size: 1,
      mediaType: 'text/plain',
    };
    const host = await startHost({
      artifacts: {
        fetch: async ({ $artifact }) => `/somewhere/${$artifact.slice(7, 9)}`,
        store: async (path, { name = '' }) => ({ ...reference, name: `${name} of ${path}` }),
      },
    });
    const heard = hooks();
    const { outputJson, verdict } = await host.run(request('job_1', 'test.curious', { reference }), heard)
      .done;
    expect(verdict).toBe('succeeded');
    expect(JSON.parse(outputJson)).toMatchObject({
      path: '/somewhere/aa',
      stored: { name: 'copy.txt of /somewhere/aa' },
    });
    expect(heard.heard).toEqual([
      'started',
      ['progress', 0.5, 'half'],
      ['chunk', 0, 'token'],
      ['emit', 1, ['{"n":1}', '{"n":2}']],
    ]);
  });

  it('reports the failure of a question to the executor that asked', async () => {
    const host = await startHost();
    const reference = { $artifact: `sha256:${'a'.repeat(64)}`, name: '', size: 0, mediaType: '' };
    const result = await host.run(request('job_1', 'test.curious', { reference }), hooks()).done;
    expect(result).toMatchObject({
      verdict: 'retryable',
      message: expect.stringContaining('no artifacts here') as string,
    });
  });

  it('that is taken by a job which does not stop is ended; jobs that had not begun begin anew', async () => {
    const folder = await tempFolder();
    const host = await startHost();
    const spinning = hooks();
    const spin = host.run(request('job_1', 'test.spin', { until: join(folder, 'never') }), spinning);
    await spinning.begun;
    const waiting = host.run(request('job_2', 'value.echo', 2), hooks());
    spin.cancel('user');
    expect(await spin.done).toMatchObject({ verdict: 'canceled', reason: 'CANCELED_BY_USER' });
    expect(await waiting.done).toMatchObject({ verdict: 'succeeded', outputJson: '2' });
  });

  it('that is taken beyond the timeout of a job is ended too', async () => {
    const folder = await tempFolder();
    const host = await startHost();
    const result = await host.run(
      request('job_1', 'test.spin', { until: join(folder, 'never') }, 30),
      hooks(),
    ).done;
    expect(result).toMatchObject({ verdict: 'timed_out', reason: 'DEADLINE_EXCEEDED_RUNNING' });
  });

  it('that is only busy is left alone', async () => {
    const folder = await tempFolder();
    const host = await startHost();
    const spinning = hooks();
    const spin = host.run(request('job_1', 'test.spin', { until: join(folder, 'now') }), spinning);
    const behind = host.run(request('job_2', 'value.echo', 2), hooks());
    await spinning.begun;
    await writeFile(join(folder, 'now'), '');
    expect(await spin.done).toMatchObject({ verdict: 'succeeded', outputJson: '{"spun":true}' });
    expect(await behind.done).toMatchObject({ verdict: 'succeeded' });
  });

  it('that dies takes what had begun with it, as retryable, and is replaced', async () => {
    const host = await startHost();
    expect(await host.run(request('job_1', 'test.crash'), hooks()).done).toMatchObject({
      verdict: 'retryable',
      reason: 'EXECUTOR_CRASHED',
    });
    expect(await host.run(request('job_2', 'value.echo', 2), hooks()).done).toMatchObject({
      verdict: 'succeeded',
    });
  });

  it('ends its jobs as canceled when the agent stops', async () => {
    const folder = await tempFolder();
    const host = await startHost();
    const spinning = hooks();
    const spin = host.run(request('job_1', 'test.spin', { until: join(folder, 'never') }), spinning);
    await spinning.begun;
    await host.stop();
    expect(await spin.done).toMatchObject({ verdict: 'canceled', reason: 'SHUTDOWN' });
  });
});

describe('an agent with a busy inline executor', () => {
  it('goes on beating, naming the job as processing, and can cancel it', async () => {
    const coordinator = await startCoordinator({ welcome: () => ({ heartbeatIntervalMs: 100 }) });
    const folder = await tempFolder();
    await startAgent([coordinator], {
      createHost: (artifacts) =>
        new SplitHost({
          modules: [FIXTURES],
          artifacts,
          log: quietLog,
          workRoot: folder,
          thread: { graceMs: 50, watchMs: 20 },
        }),
    });
    const session = await coordinator.session();
    session.offer({
      jobId: 'job_1',
      type: 'test.spin',
      inputJson: JSON.stringify({ until: join(folder, 'never') }),
    });
    await session.named('started', 'job_1');
    const beats = session.messages.seen.filter((up) => up.heartbeat !== null).length;
    await session.messages.find(
      () => session.messages.seen.filter((up) => up.heartbeat !== null).length > beats + 3,
    );
    session.cancel('job_1');
    expect(await session.completion('job_1')).toMatchObject({ verdict: Verdict.VERDICT_CANCELED });
  });
});
