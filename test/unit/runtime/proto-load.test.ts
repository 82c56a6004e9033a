/** Definitions on a real server: all four kinds of call, beside reflection and health in the same process. */
import grpc from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation, service as healthService } from 'grpc-health-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AgentMessage__Output } from '../../../proto/gen/index.ts';
import type { AgentHandlers, ArtifactHandlers, WorkflowHandlers } from '../../../proto/gen/load.ts';
import {
  agentService,
  artifactService,
  makeClient,
  operatorService,
  reflectionPackage,
  workflowService,
} from '../../../proto/gen/load.ts';
import { clientOptions, serverOptions } from '../../../runtime/grpc-options.ts';

const server = new grpc.Server(serverOptions);
let address = '';

const workflows: Partial<WorkflowHandlers> = {
  getWorkflow: (call, callback) =>
    callback(null, { workflow: { id: call.request.workflowId, version: 2 ** 40 } }),
  watchWorkflow: (call) => {
    call.write({ events: [{ sequence: call.request.afterSequence + 1 }] });
    call.end();
  },
};
const sessions: AgentHandlers = {
  session: (call) => {
    call.on('data', ({ completed }: AgentMessage__Output) => {
      call.write({ acks: completed.map(({ jobId, token }) => ({ jobId, token })) });
    });
    call.on('end', () => call.end());
  },
};
const artifacts: Partial<ArtifactHandlers> = {
  putArtifact: (call, callback) => {
    let size = 0;
    call.on('data', ({ data }) => (size += data.length));
    call.on('end', () => callback(null, { ref: { size } }));
  },
};

beforeAll(async () => {
  server.addService(workflowService, workflows);
  server.addService(agentService, sessions);
  server.addService(artifactService, artifacts);
  new ReflectionService(reflectionPackage()).addToServer(server);
  new HealthImplementation({ 'dibs.v1.WorkflowService': 'SERVING' }).addToServer(server);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  address = `127.0.0.1:${port}`;
});
afterAll(() => server.forceShutdown());

const insecure = grpc.credentials.createInsecure();

test('unary', async () => {
  using client = closing(makeClient(workflowService, address, insecure, clientOptions));
  const reply = await new Promise((resolve, reject) => {
    client.it.getWorkflow({ workflowId: 'wf_1' }, (error, value) =>
      error === null ? resolve(value) : reject(error),
    );
  });
  expect(reply).toMatchObject({ workflow: { id: 'wf_1', version: 2 ** 40, outcome: null } });
});

test('server stream', async () => {
  using client = closing(makeClient(workflowService, address, insecure));
  const received: number[] = [];
  for await (const { events } of client.it.watchWorkflow({ workflowId: 'wf_1', afterSequence: 7 })) {
    received.push(...events.map((event: { sequence: number }) => event.sequence));
  }
  expect(received).toEqual([8]);
});

test('bidirectional stream', async () => {
  using client = closing(makeClient(agentService, address, insecure));
  const call = client.it.session();
  call.write({ completed: [{ jobId: 'j', token: 't' }] });
  call.end();
  const replies: unknown[] = [];
  for await (const reply of call) replies.push(reply);
  expect(replies).toMatchObject([{ acks: [{ jobId: 'j', token: 't', refused: '' }], drain: false }]);
});

test('client stream', async () => {
  using client = closing(makeClient(artifactService, address, insecure));
  const reply = await new Promise((resolve, reject) => {
    const call = client.it.putArtifact((error, value) => (error === null ? resolve(value) : reject(error)));
    call.write({ ref: { name: 'a' }, data: Buffer.alloc(10) });
    call.write({ data: Buffer.alloc(5) });
    call.end();
  });
  expect(reply).toMatchObject({ ref: { size: 15 } });
});

test('a method nobody serves answers UNIMPLEMENTED', async () => {
  using client = closing(makeClient(operatorService, address, insecure));
  const code = await new Promise((resolve) => client.it.listQueues({}, (error) => resolve(error?.code)));
  expect(code).toBe(grpc.status.UNIMPLEMENTED);
});

test('reflection and health still speak, 64-bit fields included', async () => {
  const Health = grpc.makeGenericClientConstructor(healthService, 'health');
  using client = closing(new Health(address, insecure));
  const check = client.it['check'] as unknown as (
    request: object,
    done: (error: unknown, value: unknown) => void,
  ) => void;
  const status = await new Promise((resolve, reject) => {
    check.call(client.it, { service: 'dibs.v1.WorkflowService' }, (error, value) =>
      error ? reject(error) : resolve(value),
    );
  });
  expect(status).toMatchObject({ status: 'SERVING' });
  expect(Object.keys(reflectionPackage())).toContain('dibs.v1.AgentService');
});

function closing<T extends grpc.Client>(it: T): { it: T; [Symbol.dispose](): void } {
  return { it, [Symbol.dispose]: () => it.close() };
}
