/** Bad input over the wire: the code, reason and path of docs/04, all mistakes together. */
import { readFileSync } from 'node:fs';
import grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeClient, workflowService } from '../../../proto/gen/load.ts';
import type { ClientOf } from '../../../proto/gen/load.ts';
import { clientOptions } from '../../../runtime/grpc-options.ts';
import { fromServiceError } from '../../../runtime/grpc-errors.ts';
import { Code } from '../../../sdk/common/errors.ts';
import type { DibsError } from '../../../sdk/common/errors.ts';
import { createClient } from '../../../sdk/client/index.ts';
import { createCoordinator } from '../../../coordinator/coordinator.ts';
import { createLogger } from '../../../runtime/log.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';

const redis = useRedis();
let open: TestCoordinator;
let guarded: TestCoordinator;
let agent: RawAgent;
let client: ClientOf<typeof workflowService>;

beforeAll(async () => {
  open = await startCoordinator(redis().url);
  guarded = await startCoordinator(redis().url, { tokens: ['right-token'] });
  agent = new RawAgent({ address: open.address, types: ['echo'], answer: () => ({ output: 1 }) });
  await agent.welcomed;
  client = makeClient(workflowService, open.address, grpc.credentials.createInsecure(), clientOptions);
});
afterAll(async () => {
  agent?.close();
  client?.close();
  await Promise.all([open?.stop(), guarded?.stop()]);
});

type Workflow = NonNullable<Parameters<typeof client.submitWorkflow>[0]['workflow']>;

function refusal(workflow: Workflow): Promise<DibsError> {
  return new Promise((resolve, reject) => {
    client.submitWorkflow({ workflow }, (error) => {
      if (error === null) reject(new Error('it was taken'));
      else resolve(fromServiceError(error));
    });
  });
}

const echo = (name: string, inputJson = '{}', more: object = {}) => ({
  type: 'echo',
  name,
  inputJson,
  ...more,
});

test.each<[string, Workflow, number, string, [string, string][]]>([
  ['no steps', { steps: [] }, Code.INVALID_ARGUMENT, 'INVALID_WORKFLOW', [['steps', 'REQUIRED']]],
  [
    'a cycle',
    { steps: [echo('a', '{"$ref":"c"}'), echo('b', '{"$ref":"a"}'), echo('c', '{"$ref":"b"}')] },
    Code.INVALID_ARGUMENT,
    'INVALID_WORKFLOW',
    [['steps[0].input.$ref', 'DAG_CYCLE']],
  ],
  [
    'an unknown reference',
    { steps: [echo('a', '{"image":{"$ref":"hero","path":"output"}}')] },
    Code.INVALID_ARGUMENT,
    'INVALID_WORKFLOW',
    [['steps[0].input.image.$ref', 'UNKNOWN_REF']],
  ],
  [
    'duplicate names',
    { steps: [echo('a'), echo('a')] },
    Code.INVALID_ARGUMENT,
    'INVALID_WORKFLOW',
    [['steps[1].name', 'DUPLICATE_NAME']],
  ],
  [
    'an unknown step type',
    { steps: [{ type: 'ecko' }] },
    Code.INVALID_ARGUMENT,
    'INVALID_WORKFLOW',
    [['steps[0].type', 'UNKNOWN_STEP_TYPE']],
  ],
  [
    'invalid JSON',
    { steps: [echo('a', '{"x":')] },
    Code.INVALID_ARGUMENT,
    'INVALID_WORKFLOW',
    [['steps[0].input', 'INVALID_JSON']],
  ],
  [
    '__proto__ in a path',
    { steps: [echo('a'), echo('b', '{"v":{"$ref":"a","path":"output.__proto__.x"}}')] },
    Code.INVALID_ARGUMENT,
    'INVALID_WORKFLOW',
    [['steps[1].input.v.path', 'FORBIDDEN_PATH']],
  ],
  [
    'negative retries',
    { steps: [echo('a', '{}', { retries: -1 })] },
    Code.INVALID_ARGUMENT,
    'INVALID_WORKFLOW',
    [['steps[0].retries', 'OUT_OF_RANGE']],
  ],
  [
    'a 50 MB inline input',
    { steps: [echo('a', JSON.stringify({ blob: 'x'.repeat(50_000_000) }))] },
    Code.RESOURCE_EXHAUSTED,
    'INPUT_TOO_LARGE',
    [['steps', 'INPUT_TOO_LARGE']],
  ],
  [
    'several mistakes at once',
    {
      steps: [
        echo('a', '{"x":{"$ref":"nobody"}}', { retries: -1 }),
        { type: 'nothing', name: 'a', dependsOn: ['ghost'] },
      ],
    },
    Code.INVALID_ARGUMENT,
    'INVALID_WORKFLOW',
    [
      ['steps[0].retries', 'OUT_OF_RANGE'],
      ['steps[0].input.x.$ref', 'UNKNOWN_REF'],
      ['steps[1].type', 'UNKNOWN_STEP_TYPE'],
      ['steps[1].name', 'DUPLICATE_NAME'],
      ['steps[1].dependsOn[0]', 'UNKNOWN_DEPENDENCY'],
    ],
  ],
])('%s', async (_name, workflow, code, reason, problems) => {
  const refused = await refusal(workflow);
  expect({ code: refused.code, reason: refused.reason }).toEqual({ code, reason });
  const found = refused.problems.map((problem) => `${problem.path} ${problem.reason}`);
  expect(new Set(found)).toEqual(new Set(problems.map(([path, kind]) => `${path} ${kind}`)));
  for (const problem of refused.problems) expect(problem.message).not.toBe('');
});

test('mistakes the client sees and mistakes the coordinator sees come back together', async () => {
  using caller = createClient({ address: open.address });
  const workflow = {
    steps: [
      { type: 'echo', name: 'a', retries: -1, input: { x: { $ref: 'nobody' } } },
      { type: 'nothing', name: 'a', timeout: 'soon' },
    ],
  };
  const refused = (await caller.submit(workflow).catch((error: unknown) => error)) as DibsError;
  expect(refused).toMatchObject({ reason: 'INVALID_WORKFLOW' });
  expect(new Set(refused.problems.map((problem) => problem.path))).toEqual(
    new Set([
      'steps[0].retries',
      'steps[0].input.x.$ref',
      'steps[1].type',
      'steps[1].name',
      'steps[1].timeout',
    ]),
  );
});

test.each([
  ['no token', undefined],
  ['a wrong token', 'wrong-token'],
])('%s is refused', async (_name, token) => {
  using caller = createClient({ address: guarded.address, ...(token === undefined ? {} : { token }) });
  await expect(caller.submit({ steps: [{ type: 'echo' }] })).rejects.toMatchObject({
    code: Code.UNAUTHENTICATED,
    reason: 'UNAUTHENTICATED',
  });
});

test('the right token is taken', async () => {
  using caller = createClient({ address: guarded.address, token: 'right-token' });
  expect((await caller.submit({ steps: [{ type: 'echo' }] })).workflow.id).toMatch(/^wf_/);
});

test('an agent with a wrong token is refused', async () => {
  const stranger = new RawAgent({ address: guarded.address, types: ['echo'], answer: () => undefined });
  await expect(stranger.welcomed).rejects.toMatchObject({ code: Code.UNAUTHENTICATED });
  stranger.close();
});

test('listening beyond this machine needs a token', () => {
  const config = {
    redis: { url: redis().url },
    dataDir: '/nonexistent',
    log: createLogger({ component: 'coordinator', level: 'silent' }),
  };
  expect(() => createCoordinator({ ...config, listen: { host: '0.0.0.0', port: 0 } })).toThrow(
    /without a token/,
  );
});

test.each([
  ['wf_nonsense', 'WORKFLOW_NOT_FOUND'],
  ['wf_00ffffffffffffffffffffffff', 'WORKFLOW_NOT_FOUND'],
  ['wf_zzffffffffffffffffffffffff', 'WORKFLOW_NOT_FOUND'],
])('the unknown id %s is not found', async (id, reason) => {
  using caller = createClient({ address: open.address });
  await expect(caller.get(id)).rejects.toMatchObject({ code: Code.NOT_FOUND, reason });
  await expect(caller.cancel(id)).rejects.toMatchObject({ reason });
});

test('health and reflection answer', async () => {
  const proto = readFileSync(new URL('../../../proto/dibs/v1/workflow.proto', import.meta.url), 'utf8');
  expect(proto).toContain('service WorkflowService');
  const raw = new grpc.Client(open.address, grpc.credentials.createInsecure());
  const call = (path: string, request: Buffer): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      raw.makeUnaryRequest(
        path,
        (x: Buffer) => x,
        (x: Buffer) => x,
        request,
        (error, answer) => (error === null ? resolve(answer as Buffer) : reject(error)),
      );
    });
  // grpc.health.v1.HealthCheckRequest{service} → {status: SERVING}
  const service = Buffer.from('dibs.v1.AgentService');
  const answer = await call(
    '/grpc.health.v1.Health/Check',
    Buffer.concat([Buffer.from([0x0a, service.length]), service]),
  );
  expect([...answer]).toEqual([0x08, 1]);
  // ServerReflectionRequest{list_services: "*"}
  const names = await new Promise<string>((resolve, reject) => {
    const stream = raw.makeBidiStreamRequest(
      '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      (x: Buffer) => x,
      (x: Buffer) => x,
    );
    stream.on('data', (chunk: Buffer) => resolve(chunk.toString('latin1')));
    stream.on('error', reject);
    stream.write(Buffer.from([0x3a, 1, 0x2a]));
    stream.end();
  });
  for (const name of ['WorkflowService', 'AgentService', 'OperatorService', 'ArtifactService']) {
    expect(names).toContain(`dibs.v1.${name}`);
  }
  raw.close();
});
