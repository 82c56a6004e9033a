/** `dibs` against a fake coordinator on the real wire: what it prints where, and with which code it ends. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../../cli/program.ts';
import { DibsError } from '../../../sdk/client/index.ts';
import { State } from '../../../sdk/common/states.ts';
import { fakeIo } from '../../support/fake-io.ts';
import type { FakeIoOptions } from '../../support/fake-io.ts';
import { FakeWorkflowServer } from '../../support/fake-workflow-server.ts';

describe('dibs against a coordinator', () => {
  let server: FakeWorkflowServer;
  let folder: string;

  beforeEach(async () => {
    server = await FakeWorkflowServer.start();
    folder = await mkdtemp(join(tmpdir(), 'dibs-cli-'));
    await writeFile(
      join(folder, 'flow.yaml'),
      'name: demo\nsteps:\n  - {type: value.echo, name: only, timeout: 5, input: {photo: {$file: p.jpg}}}\n',
    );
    await writeFile(join(folder, 'p.jpg'), 'pixels');
  });
  afterEach(async () => {
    server.kill();
    await rm(folder, { recursive: true });
  });

  async function run(
    args: string[],
    options: FakeIoOptions = {},
  ): Promise<{ code: number; out: string; err: string }> {
    const io = fakeIo({ cwd: folder, env: { DIBS_ADDRESS: server.address }, ...options });
    const code = await runCli(args, io);
    await new Promise(setImmediate);
    return { code, out: io.out(), err: io.err() };
  }

  const endNext = (
    ...[status, outcome, step]: [
      Parameters<typeof server.store.end>[1],
      { reason: string; message: string }?,
      string?,
    ]
  ): void => {
    server.store.once('stored', (id: string) => {
      const stored = server.store.get(id);
      server.store.add(stored, { type: 'step.started', state: State.processing, step: 'only' });
      server.store.add(stored, {
        type: 'job.succeeded',
        state: State.succeeded,
        step: 'only',
        jobId: 'job_1',
        agentId: 'agent_1',
      });
      server.store.end(id, status, outcome, step);
    });
  };

  it('submits a file: the id on standard output, the named file stored', async () => {
    const { code, out, err } = await run([
      'workflow',
      'submit',
      'flow.yaml',
      '--tag',
      'x',
      '--request-id',
      'r1',
    ]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const stored = server.store.get(out.trim());
    expect(stored.spec.tags).toEqual(['x']);
    expect(stored.spec.steps[0]).toMatchObject({ timeoutMs: 5_000 });
    expect(JSON.parse(stored.spec.steps[0]?.inputJson ?? '')).toMatchObject({
      photo: { name: 'p.jpg', size: 6, mediaType: 'image/jpeg' },
    });
    expect(server.store.artifacts.size).toBe(1);

    const again = await run(['workflow', 'submit', 'flow.yaml', '--tag', 'x', '--request-id', 'r1']);
    expect(again).toMatchObject({
      code: 0,
      out,
      err: 'The request id was used before; this is the workflow made then.\n',
    });
    expect((await run(['workflow', 'submit', '--type', 'other', '--request-id', 'r1'])).code).toBe(6);
  });

  it('submits standard input and flags', async () => {
    const piped = await run(['workflow', 'submit', '-', '-o', 'json'], { stdin: '{"steps":[{"type":"a"}]}' });
    expect(JSON.parse(piped.out)).toMatchObject({ status: 'unassigned', steps: [{ type: 'a' }] });
    const flags = await run(['workflow', 'submit', '--type', 'a', '--input', '{"n":1}', '-o', 'name']);
    expect(server.store.get(flags.out.trim()).spec.steps[0]).toMatchObject({
      type: 'a',
      inputJson: '{"n":1}',
    });
  });

  it('checks only, and stores nothing', async () => {
    const { code, out, err } = await run(['workflow', 'submit', 'flow.yaml', '--validate-only']);
    expect({ code, out, err }).toEqual({ code: 0, out: '', err: 'The workflow is valid: 1 step.\n' });
    expect([server.store.workflows.size, server.store.artifacts.size]).toEqual([0, 0]);
  });

  it('prints every problem and ends with 1', async () => {
    await writeFile(
      join(folder, 'bad.yaml'),
      'steps:\n  - {typo: a}\n  - {type: b, retries: many, input: {f: {$file: p.jpg}}}\n',
    );
    const { code, out, err } = await run(['workflow', 'submit', 'bad.yaml']);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(
      /^steps\[0\]\.typo: INVALID_VALUE: .*\nsteps\[0\]\.type: REQUIRED: .*\nsteps\[1\]\.retries: INVALID_VALUE: .*\ndibs: /,
    );
    expect(server.store.artifacts.size).toBe(0);
  });

  it('waits, shows steps as they go, and prints what it became', async () => {
    endNext('succeeded');
    const { code, out, err } = await run(['workflow', 'submit', 'flow.yaml', '--wait']);
    expect(code).toBe(0);
    expect(out).toMatch(/^status +succeeded$/m);
    expect(out).toMatch(/^only +value\.echo +succeeded/m);
    expect(err).toBe('workflow.created\nonly: processing (0/1 jobs)\nworkflow.succeeded\n');
  });

  it('redraws bars on a terminal', async () => {
    endNext('succeeded');
    const { err, out } = await run(['workflow', 'submit', 'flow.yaml', '--wait', '-o', 'json'], {
      live: true,
    });
    expect(err).toMatch(/✓ demo {2}succeeded .*\n.*only .*█+ 1\/1\n$/);
    expect(JSON.parse(out)).toMatchObject({ status: 'succeeded', steps: [{ output: { n: 0 } }] });
  });

  it.each([
    ['failed', 8, { reason: 'STEP_FAILED', message: 'a step failed' }, 'only'],
    ['expired', 9, { reason: 'WORKFLOW_TIMEOUT', message: 'too long' }, ''],
    ['canceled', 9, { reason: 'CANCELED_BY_USER', message: 'no' }, ''],
  ] as const)('ends a %s workflow with %d', async (status, code, outcome, step) => {
    endNext(status, outcome, step);
    const result = await run(['workflow', 'submit', 'flow.yaml', '--wait', '-o', 'name']);
    expect(result.code).toBe(code);
    expect(result.err).toContain(step === '' ? outcome.message : 'at step "only": EXECUTOR_ERROR: it broke');
  });

  it('watches: one JSON object a line, or a line an event', async () => {
    endNext('succeeded');
    const json = await run(['workflow', 'submit', 'flow.yaml', '--watch', '-o', 'json']);
    expect(json.err).toBe('');
    const events = json.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; at: string });
    expect(events.map(({ type }) => type)).toEqual([
      'workflow.created',
      'step.started',
      'job.succeeded',
      'workflow.succeeded',
    ]);
    expect(events[0]?.at).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    const [id] = [...server.store.workflows.keys()];
    const lines = await run(['workflow', 'watch', id ?? '']);
    expect(lines.out).toMatch(/^\S+ {2}job\.succeeded +step=only {2}job=job_1 {2}agent=agent_1$/m);
  });

  it('finds a workflow by the beginning of its id', async () => {
    for (let index = 0; index < 11; index++) await run(['workflow', 'submit', '--type', `t${index}`]);
    expect((await run(['workflow', 'get', 'wf_00000011', '-o', 'name'])).out).toBe('wf_00000011\n');
    expect((await run(['workflow', 'get', '00000011', '-o', 'name'])).out).toBe('wf_00000011\n');
    const several = await run(['workflow', 'get', '0000000']);
    expect(several.code).toBe(2);
    expect(several.err).toContain('"0000000" is the beginning of 9 workflows: wf_00000009, ');
    expect((await run(['workflow', 'get', 'nope'])).code).toBe(5);
  });

  it('lists, cancels and waits', async () => {
    await run(['workflow', 'submit', 'flow.yaml', '--tag', 'a']);
    await run(['workflow', 'submit', '--type', 'b', '--name', 'other']);
    expect((await run(['workflow', 'list'])).out).toMatch(
      /^ID +NAME +STATUS .*\nwf_00000002 +other +unassigned .*\nwf_00000001 +demo .*\n$/,
    );
    expect((await run(['workflow', 'list', '--tag', 'a', '-o', 'name'])).out).toBe('wf_00000001\n');
    expect(JSON.parse((await run(['workflow', 'list', '-o', 'json', '--limit', '1'])).out)).toMatchObject([
      { id: 'wf_00000002' },
    ]);
    expect((await run(['workflow', 'cancel', '00000001', '--reason', 'enough'])).out).toMatch(
      /^reason +CANCELED_BY_USER: enough$/m,
    );
    expect((await run(['workflow', 'cancel', '00000001'])).code).toBe(6);
    expect((await run(['workflow', 'wait', '00000001'])).code).toBe(9);
    expect(await run(['workflow', 'wait', '00000002', '--timeout', '50ms'])).toMatchObject({
      code: 124,
      out: '',
    });
  });

  it('stops waiting on Ctrl-C', async () => {
    await run(['workflow', 'submit', 'flow.yaml']);
    const { InterruptedError } = await import('../../../cli/io.ts');
    const interrupt = new AbortController();
    const waiting = run(['workflow', 'watch', '00000001'], { interrupted: interrupt.signal });
    interrupt.abort(new InterruptedError());
    expect((await waiting).code).toBe(130);
  });

  it('lists queues and agents', async () => {
    expect((await run(['queue', 'list'])).out).toMatch(/^QUEUE +WAITING .*\nvalue\.echo +3 +1\.5s +1\n$/);
    expect((await run(['agent', 'list', '-o', 'wide'])).out).toMatch(
      /^agent_1 +box +connected +2\/4 .* zone=a +0\.1\.0$/m,
    );
    expect((await run(['agent', 'list', '-o', 'yaml'])).out).toContain('labels:\n    zone: a\n');
  });

  it('puts and gets artifacts', async () => {
    const put = await run(['artifact', 'put', 'p.jpg']);
    const reference = JSON.parse(put.out) as { $artifact: string };
    expect(reference).toMatchObject({ name: 'p.jpg', size: 6, mediaType: 'image/jpeg' });
    expect((await run(['artifact', 'get', reference.$artifact])).out).toBe('pixels');
    const got = await run(['artifact', 'get', put.out, '--out', '.']);
    expect(got).toMatchObject({ code: 0, out: '' });
    expect(await readFile(join(folder, 'p.jpg'), 'utf8')).toBe('pixels');
    expect(
      (await run(['artifact', 'put', '-', '--name', 'x.txt', '-o', 'name'], { stdin: 'hello' })).out,
    ).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect((await run(['artifact', 'get', '0'.repeat(64)])).code).toBe(5);
    expect((await run(['artifact', 'put', 'gone.jpg'])).code).toBe(2);
  });

  it('says when there is no coordinator, or no right', async () => {
    server.failNext('listWorkflows', new DibsError('UNAUTHENTICATED', 'This coordinator wants a token.'));
    expect(await run(['workflow', 'list'])).toMatchObject({ code: 4, out: '' });
    server.kill();
    const { code, err } = await run(['workflow', 'list']);
    expect(code).toBe(7);
    expect(err).toMatch(
      /^dibs: No coordinator could be reached: connect ECONNREFUSED 127\.0\.0\.1:\d+\nIs a coordinator running\?/,
    );
  });
});
