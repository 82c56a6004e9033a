/** Model files are fetched before jobs run: once, checked, going on where a fetch was cut off. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Verdict } from '../../../proto/gen/index.ts';
import { State } from '../../../sdk/common/states.ts';
import type { Model } from '../../../sdk/executor/models.ts';
import { until } from '../../support/until.ts';
import { startAgent, startCoordinator } from './support/rig.ts';
import { ECHO } from './support/scripted-host.ts';

const BYTES = Buffer.alloc(300_000, 'model ');
const SHA = createHash('sha256').update(BYTES).digest('hex');

interface Files {
  readonly url: string;
  readonly asked: { readonly path: string; readonly range: string | undefined }[];
  /** What becomes of the next requests; default: the whole answer. */
  answer: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** Serves the model under every path, ranges included. */
async function serve(): Promise<Files> {
  const files: Files = { url: '', asked: [], answer: () => false };
  const server = createServer((request, response) => {
    const range = request.headers.range;
    files.asked.push({ path: request.url ?? '', range });
    if (files.answer(request, response)) return;
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': BYTES.length - from });
    response.end(BYTES.subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return Object.assign(files, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

async function start(models: readonly Model[]) {
  const coordinator = await startCoordinator();
  const { host, folder } = await startAgent([coordinator], {
    executors: [{ ...ECHO, type: 'test.model', concurrency: 4, models }],
  });
  const session = await coordinator.session();
  const offer = (jobId: string): void => session.offer({ jobId, type: 'test.model' });
  return { coordinator, host, session, offer, files: join(folder, 'cache', 'models') };
}

test('two jobs wait for one download, say how far it is, and run when it is there', async () => {
  const server = await serve();
  let more: (() => void) | undefined;
  server.answer = (_request, response) => {
    response.writeHead(200, { 'content-length': BYTES.length });
    response.write(BYTES.subarray(0, 100_000));
    more = () => response.end(BYTES.subarray(100_000));
    return true;
  };
  const { session, host, offer, files } = await start([
    { name: 'sdxl', url: `${server.url}/sdxl`, sha256: SHA },
  ]);
  expect(session.hello.advertisement?.executors[0]?.models).toEqual([
    { name: 'sdxl', size: 0, hash: `sha256:${SHA}` },
  ]);
  offer('job_1');
  offer('job_2');
  const said = await session.messages.find(({ preparing }) => preparing.length > 0);
  expect(said.preparing[0]).toMatchObject({ model: 'sdxl', bytesTotal: BYTES.length });
  expect(['job_1', 'job_2']).toContain(said.preparing[0]?.jobId);
  expect(host.jobs).toHaveLength(0);
  host.onRun = (job) => job.succeed();
  (await until('the request', () => more))();
  for (const id of ['job_1', 'job_2'])
    expect(await session.completion(id)).toMatchObject({ verdict: Verdict.VERDICT_SUCCEEDED });
  expect(server.asked).toHaveLength(1);
  const [file] = readdirSync(files);
  expect(file).toBe(`sdxl-${SHA.slice(0, 16)}`);
  expect(readFileSync(join(files, file as string)).equals(BYTES)).toBe(true);
  const condition = await session.messages.find(
    ({ condition: one }) => one?.cachedModels.includes('sdxl') === true,
  );
  expect(condition.condition).toMatchObject({ closed: '', pausedTypes: [] });
});

test('a fetch that was cut off goes on from there with the next job', async () => {
  const server = await serve();
  server.answer = (_request, response) => {
    server.answer = () => false;
    response.writeHead(200, { 'content-length': BYTES.length });
    response.write(BYTES.subarray(0, 100_000), () => response.destroy());
    return true;
  };
  const model = { name: 'flux', url: `${server.url}/flux`, size: BYTES.length, sha256: SHA };
  const { session, host, offer, files } = await start([model]);
  host.onRun = (job) => job.succeed();
  offer('job_1');
  const first = await session.completion('job_1');
  expect(first).toMatchObject({
    verdict: Verdict.VERDICT_RETRYABLE,
    outcome: { reason: 'MODEL_UNAVAILABLE' },
  });
  offer('job_2');
  expect(await session.completion('job_2')).toMatchObject({ verdict: Verdict.VERDICT_SUCCEEDED });
  expect(server.asked.map(({ range }) => range)).toEqual([
    undefined,
    expect.stringMatching(/^bytes=\d{4,}-$/),
  ]);
  expect(readFileSync(join(files, `flux-${SHA.slice(0, 16)}`)).equals(BYTES)).toBe(true);
});

test('a file with another hash is thrown away, and the job says so', async () => {
  const server = await serve();
  const { session, host, offer, files } = await start([
    { name: 'evil', url: `${server.url}/evil`, sha256: 'a'.repeat(64) },
  ]);
  offer('job_1');
  const completion = await session.completion('job_1');
  expect(completion).toMatchObject({
    verdict: Verdict.VERDICT_RETRYABLE,
    outcome: { reason: 'MODEL_CORRUPT' },
  });
  expect(completion.outcome?.message).toContain(SHA);
  expect(readdirSync(files)).toEqual([]);
  expect(host.jobs).toHaveLength(0);
});

test('what does not fit the cache, and what the server does not have', async () => {
  const server = await serve();
  server.answer = (_request, response) => {
    response.writeHead(404).end();
    return true;
  };
  const { session, offer } = await start([{ name: 'gone', url: `${server.url}/gone` }]);
  offer('job_1');
  expect((await session.completion('job_1')).outcome).toMatchObject({
    reason: 'MODEL_UNAVAILABLE',
    message: `${server.url}/gone answers 404.`,
  });
  const huge = await start([{ name: 'huge', url: `${server.url}/huge`, size: 2 ** 40 }]);
  huge.offer('job_2');
  expect((await huge.session.completion('job_2')).outcome).toMatchObject({ reason: 'DISK_FULL' });
});

test('a cancel while files are fetched ends the job and, with nobody left to wait, the fetch', async () => {
  const server = await serve();
  let closed = false;
  server.answer = (_request, response) => {
    response.on('close', () => (closed = true));
    response.writeHead(200, { 'content-length': BYTES.length });
    response.write(BYTES.subarray(0, 1000));
    return true;
  };
  const { session, offer, host } = await start([{ name: 'slow', url: `${server.url}/slow` }]);
  offer('job_1');
  await session.messages.find(({ preparing }) => preparing.length > 0);
  session.cancel('job_1');
  expect(await session.completion('job_1')).toMatchObject({ verdict: Verdict.VERDICT_CANCELED });
  await until('the end of the fetch', () => closed);
  expect(host.jobs).toHaveLength(0);
});

test('models that waiting jobs want are fetched ahead, the most wanted first', async () => {
  const server = await serve();
  const models = ['a', 'b', 'c'].map((name) => ({ name, url: `${server.url}/${name}`, size: BYTES.length }));
  const { session, files } = await start(models);
  session.send({
    preloads: [
      { type: 'test.model', model: 'b', queuedCost: 9 },
      { type: 'test.model', model: 'nobody-knows', queuedCost: 8 },
      { type: 'test.model', model: 'a', queuedCost: 2 },
    ],
  });
  await session.messages.find(({ condition }) => condition?.cachedModels.join() === 'a,b');
  expect(server.asked.map(({ path }) => path)).toEqual(['/b', '/a']);
  expect(existsSync(join(files, 'c'))).toBe(false);
});

test('a job whose files are fetched is held as preparing', async () => {
  const server = await serve();
  server.answer = () => true;
  const { coordinator, session, offer } = await start([{ name: 'never', url: `${server.url}/never` }]);
  offer('job_1');
  await until('the request', () => server.asked.length === 1);
  session.fail();
  const next = await coordinator.sessions.find((one) => one !== session);
  expect(next.hello.held).toMatchObject([{ jobId: 'job_1', state: State.preparing }]);
});
