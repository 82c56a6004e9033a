/** The operators' verbs against a coordinator that remembers what it was asked. */
import grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../../cli/program.ts';
import type { Agent__Output } from '../../../proto/gen/index.ts';
import { operatorService } from '../../../proto/gen/load.ts';
import type { OperatorHandlers, Plain } from '../../../proto/gen/load.ts';
import { toServiceError } from '../../../runtime/grpc-errors.ts';
import { DibsError } from '../../../sdk/common/errors.ts';
import { fakeIo } from '../../support/fake-io.ts';

const SINCE = Date.UTC(2026, 0, 1);
const AGENTS: Plain<Agent__Output>[] = [
  { id: 'agent_1', name: 'box', version: '1', state: 1, held: 1, advertisement: { slots: 4 } },
  {
    id: 'agent_2',
    name: 'twin',
    state: 5,
    quarantine: {
      reason: '5 of its last 5 jobs failed',
      by: 'automatic',
      sinceMs: SINCE,
      untilMs: SINCE + 1,
      times: 2,
    },
  },
  { id: 'agent_3', name: 'twin', state: 4, pause: { by: 'operator', note: 'dust\u001b[2J', sinceMs: SINCE } },
];

const asked: [method: string, request: unknown][] = [];

function answer<Request, Response>(
  method: string,
  respond: (request: Request) => Response,
): grpc.handleUnaryCall<Request, Response> {
  return ({ request }, callback) => {
    asked.push([method, request]);
    try {
      callback(null, respond(request));
    } catch (error) {
      callback(toServiceError(error, { error: () => undefined }));
    }
  };
}

const find = (id: string): Plain<Agent__Output> => {
  const agent = AGENTS.find((one) => one.id === id);
  if (agent === undefined) throw new DibsError('AGENT_NOT_FOUND', `There is no agent "${id}".`);
  return agent;
};
const queue = (name: string) => {
  if (name === 'nothing') throw new DibsError('QUEUE_NOT_FOUND', 'There is no queue "nothing".');
  return { name, type: 'x', waiting: 2, oldestWaitMs: 1500, eligibleAgents: 1 };
};

const HANDLERS: Partial<OperatorHandlers> = {
  listAgents: answer('listAgents', () => ({ agents: AGENTS })),
  getAgent: answer('getAgent', ({ agentId }) => ({ agent: find(agentId) })),
  controlAgent: answer('controlAgent', ({ agentId, action }) => {
    if (action === 5) throw new DibsError('WRONG_STATE', 'The agent agent_1 is not in quarantine.');
    return { agent: find(agentId) };
  }),
  explainJob: answer('explainJob', ({ jobId }) => ({
    jobId,
    state: 1 as const,
    summary: 'None of 2 connected agents can run it.',
    queue: 'image.make#1',
    requirement: 'image.make, 1 GPU with 80 GiB',
    forecast: { position: 3, exact: true, costAhead: 8, eligibleAgents: 0 },
    missed: [{ reason: 'vram', agents: 2, example: 'has 24 GiB\u001b[2J', exampleAgentId: 'agent_1' }],
    nearest: {
      agentId: 'agent_1',
      agentName: 'box',
      reason: 'vram',
      message: 'has 0 GPUs with 80 GiB (the largest has 24 GiB), 1 needed',
      advice: 'Connect a box with such GPUs.',
    },
  })),
  explainAgent: answer('explainAgent', ({ agentId }) => ({
    agentId,
    agentName: 'box',
    summary: 'The agent can run 2 of the 9 jobs that wait.',
    skipped: [{ reason: 'type', jobs: 7, example: 'has no executor for text.sum', exampleQueue: 'text.sum' }],
    runnableJobs: 2,
  })),
  watchQueues: (call) => {
    call.write({
      queues: [
        { name: 'calm', type: 'calm', eligibleAgents: 2, closedAgents: 1, throughput: 12.345 },
        {
          name: 'busy',
          type: 'busy',
          waiting: 7,
          oldestWaitMs: 90_000,
          running: 3,
          drainInMs: 61_000,
          stalls: 2,
        },
      ],
      fleet: { agentsConnected: 3, agentsPaused: 1, slots: 8, held: 3 },
    });
    call.write({
      queues: [{ name: 'calm', type: 'calm', waiting: 1 }],
      fleet: { agentsConnected: 3, slots: 8 },
    });
    call.emit(
      'error',
      toServiceError(new DibsError('PERMISSION_DENIED', 'Enough.'), { error: () => undefined }),
    );
  },
  getQueue: answer('getQueue', ({ name }) => ({ queue: queue(name) })),
  pauseQueue: answer('pauseQueue', ({ note }) => ({ pause: { by: 'operator', note, sinceMs: SINCE } })),
  resumeQueue: answer('resumeQueue', () => ({})),
  requeueJob: answer('requeueJob', ({ jobId }) => {
    if (jobId === 'job_ended') throw new DibsError('WRONG_STATE', 'The job job_ended has ended already.');
    return { was: 4 };
  }),
};

const server = new grpc.Server();
let address = '';

beforeAll(async () => {
  server.addService(operatorService, HANDLERS);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  address = `127.0.0.1:${port}`;
});
beforeEach(() => void asked.splice(0));
afterAll(() => server.forceShutdown());

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = fakeIo({ env: { DIBS_ADDRESS: address } });
  const code = await runCli(args, io);
  await new Promise(setImmediate);
  return { code, out: io.out(), err: io.err() };
}

describe('dibs agent', () => {
  it.each([
    ['pause', 1],
    ['resume', 2],
    ['drain', 3],
    ['quarantine', 4],
  ])('%s names the agent and says why', async (verb, action) => {
    const { code, out } = await run('agent', verb, 'box', '--note', 'a new fan', '-o', 'name');
    expect({ code, out }).toEqual({ code: 0, out: 'agent_1\n' });
    expect(asked.at(-1)).toEqual(['controlAgent', { agentId: 'agent_1', action, note: 'a new fan' }]);
  });

  it('get shows why an agent is shut out or paused, and nothing moves the cursor', async () => {
    const { out } = await run('agent', 'get', 'agent_2');
    expect(out).toMatch(/^quarantine +automatic, since .*; on trial, one job at a time, 2 trials failed$/m);
    expect(out).toMatch(/^reason +5 of its last 5 jobs failed$/m);
    expect((await run('agent', 'get', 'agent_3')).out).toMatch(/^paused .* by operator: dust·\[2J$/m);
    const json = JSON.parse((await run('agent', 'get', 'agent_3', '-o', 'json')).out) as unknown;
    expect(json).toMatchObject({ status: 'paused', pause: { since: '2026-01-01T00:00:00.000Z' } });
    expect((await run('agent', 'get', 'agent_1', '-o', 'yaml')).out).toMatch(/^quarantine: null$/m);
  });

  it('tells names that several have, or nobody, from a conflict', async () => {
    expect(await run('agent', 'get', 'twin')).toMatchObject({
      code: 2,
      err: expect.stringContaining('2 agents are named "twin": agent_2, agent_3.'),
    });
    expect(await run('agent', 'get', 'ghost')).toMatchObject({ code: 5, out: '' });
    expect(await run('agent', 'release', 'agent_1')).toMatchObject({
      code: 6,
      err: expect.stringContaining('not in quarantine'),
    });
  });
});

describe('dibs queue', () => {
  it('pauses and resumes by name, and shows the queue', async () => {
    const { code, out } = await run('queue', 'pause', 'x', '--note', 'bad model');
    expect(code).toBe(0);
    expect(out).toMatch(/^waiting +2$/m);
    expect(asked[0]).toEqual(['pauseQueue', { name: 'x', note: 'bad model' }]);
    expect(await run('queue', 'resume', 'x', '-o', 'name')).toMatchObject({ code: 0, out: 'x\n' });
    expect(await run('queue', 'get', 'nothing')).toMatchObject({ code: 5 });
    expect(await run('queue', 'pause', 'nothing')).toMatchObject({ code: 0, out: '' });
  });
});

describe('dibs job', () => {
  it.each([
    [['requeue', 'job_1', '--back', '--note', 'later'], { jobId: 'job_1', toBack: true, note: 'later' }],
    [['requeue', 'job_1'], { jobId: 'job_1', toBack: false, note: '' }],
    [['release', 'job_1'], { jobId: 'job_1', toBack: false, note: '' }],
  ])('%j', async (args, request) => {
    const { code, out } = await run('job', ...args);
    expect(code).toBe(0);
    expect(out).toContain(`job_1: was processing, now at the ${request.toBack ? 'back' : 'front'}`);
    expect(asked).toEqual([['requeueJob', request]]);
  });

  it('ends with 6 for a job that has ended', async () => {
    expect(await run('job', 'requeue', 'job_ended')).toMatchObject({ code: 6 });
    expect(JSON.parse((await run('job', 'release', 'job_2', '-o', 'json')).out)).toEqual({
      id: 'job_2',
      was: 'processing',
      to: 'front',
    });
  });
});

describe('why', () => {
  it('job explain says what is needed, who comes nearest and what would help', async () => {
    const { code, out } = await run('job', 'explain', 'job_1');
    expect(code).toBe(0);
    expect(out).toMatch(/^why +None of 2 connected agents can run it\.$/m);
    expect(out).toMatch(/^needs +image\.make, 1 GPU with 80 GiB$/m);
    expect(out).toMatch(/^position +3 \(cost 8 before it, 0 agents can run it\)$/m);
    expect(out).toMatch(
      /^nearest +box \(agent_1\) has 0 GPUs with 80 GiB \(the largest has 24 GiB\), 1 needed$/m,
    );
    expect(out).toMatch(/^advice +Connect a box with such GPUs\.$/m);
    expect(out).toMatch(/^ +2 +vram +agent_1 has 24 GiB·\[2J$/m);
    const told = JSON.parse((await run('job', 'explain', 'job_1', '-o', 'json')).out);
    expect(told.nearest).toMatchObject({ agentId: 'agent_1', reason: 'vram' });
  });

  it('agent explain counts the jobs it does not take', async () => {
    const { out } = await run('agent', 'explain', 'box');
    expect(out).toMatch(/^can run +2 waiting jobs$/m);
    expect(out).toMatch(/^ +7 +type +text\.sum: has no executor for text\.sum$/m);
  });
});

describe('dibs top', () => {
  it('--once shows the fleet and what waits longest first', async () => {
    const { code, out } = await run('top', '--once');
    expect(code).toBe(0);
    const [fleet, , titles, first, second] = out.split('\n');
    expect(fleet).toBe('agents: 3 (1 paused, 0 quarantined), slots: 3 of 8 taken');
    expect(titles).toMatch(/^QUEUE +WAITING +OLDEST +RUNNING +AGENTS +COST\/S +STARTED IN +STALLS$/);
    expect(first).toMatch(/^busy +7 +1m30s +3 +0 +- +1m1s +2$/);
    expect(second).toMatch(/^calm +0 +- +0 +1\/2 +12\.3 +- +-$/);
  });

  it('--once -o json is one value, without --once one a line', async () => {
    const once = JSON.parse((await run('top', '--once', '-o', 'json')).out);
    expect(once.queues.map(({ name }: { name: string }) => name)).toEqual(['busy', 'calm']);
    const { code, out } = await run('top', '-o', 'json');
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(2);
    expect(lines[1].queues.find(({ name }: { name: string }) => name === 'calm').waiting).toBe(1);
    expect(code).toBe(4);
  });
});
