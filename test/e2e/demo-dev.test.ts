/** `dibs dev`: the examples run against it, a crashed coordinator comes back, Ctrl-C ends all of it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../sdk/client/index.ts';
import type { DibsClient } from '../../sdk/client/index.ts';
import { startedBy } from '../support/processes.ts';
import { startProc } from '../support/proc.ts';
import type { Proc } from '../support/proc.ts';

const ADDRESS = /^127\.0\.0\.1:\d+$/;

describe('dibs dev', () => {
  let folder: string;
  let dev: Proc;
  let address: string;
  let client: DibsClient;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dv-'));
    dev = startProc('cli/dibs.ts', {
      args: ['dev', '--listen', '127.0.0.1:0', '--agents', '2', '--data-dir', folder],
      cwd: folder,
    });
    [address] = await dev.line(ADDRESS, { timeoutMs: 60_000 });
    client = createClient({ address });
  });
  afterAll(async () => {
    client.close();
    await dev.end();
    await rm(folder, { recursive: true, force: true });
  });

  async function output(entry: string, ...args: string[]): Promise<string> {
    await using proc = startProc(entry, { args, env: { DIBS_ADDRESS: address } });
    await proc.exitsWith(0, 60_000);
    return proc.output;
  }

  it('says how to go on', async () => {
    await dev.line(/Ctrl-C stops it\.$/);
    expect(dev.output).toContain(`Dibs is up on ${address}: 2 agents`);
    await dev.line(/dibs workflow list/);
    expect(dev.output).toContain(`export DIBS_ADDRESS=${address}`);
  });

  it.each([
    ['submit-and-wait', '{"hello":"Luna"}'],
    ['fan-out', '"parts":4}'],
    ['watch', 'echoes: 10 of 10 jobs'],
  ])('runs the example %s', async (name, expected) => {
    expect(await output(`examples/${name}.ts`)).toContain(expected);
  });

  it('serves the whole command line', async () => {
    const submitted = await output(
      'cli/dibs.ts',
      'workflow',
      'submit',
      '--type',
      'value.echo',
      '--input',
      '{"a":1}',
      '--watch',
      '-o',
      'json',
    );
    const events = submitted
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; workflowId: string });
    expect(events.at(-1)?.type).toBe('workflow.succeeded');
    const id = events[0]?.workflowId ?? '';
    expect(
      JSON.parse(await output('cli/dibs.ts', 'workflow', 'get', id.slice(0, 14), '-o', 'json')),
    ).toMatchObject({ id, steps: [{ output: { a: 1 } }] });
    expect(await output('cli/dibs.ts', 'agent', 'list')).toMatch(
      /agent-1 +connected[\s\S]*agent-2 +connected/,
    );
    expect(await output('cli/dibs.ts', 'queue', 'list', '-o', 'name')).toContain('value.echo');
  });

  it('brings a crashed coordinator back at the same address, and a watch goes on over it', async () => {
    const { workflow } = await client.submit({
      steps: [{ type: 'nobody.has.it', name: 'x' }],
      allowUnknownTypes: true,
    });
    const types: string[] = [];
    let canceling: Promise<unknown> | undefined;
    for await (const { type } of client.watch(workflow.id)) {
      types.push(type);
      if (type !== 'job.queued') continue;
      const coordinator = startedBy(dev.pid, '').find(({ command }) => command.includes('coordinator start'));
      process.kill(coordinator?.pid ?? 0, 'SIGKILL');
      await dev.line(/coordinator ended \(SIGKILL\); starting it again/);
      canceling = client.cancel(workflow.id, { timeoutMs: 60_000 });
    }
    expect(await canceling).toMatchObject({ status: 'canceled' });
    expect(types.at(-1)).toBe('workflow.canceled');
    expect(new Set(types).size).toBe(types.length);
  });

  it('refuses a port that is taken', async () => {
    await using second = startProc('cli/dibs.ts', {
      args: ['dev', '--listen', address, '--data-dir', `${folder}2`],
    });
    await second.exitsWith(2);
    expect(second.output).toContain('is in use');
  });

  it('ends with 0 on Ctrl-C, with everything it started', async () => {
    const children = startedBy(dev.pid, '').map(({ pid }) => pid);
    expect(children.length).toBeGreaterThanOrEqual(5);
    dev.signal('SIGINT');
    await dev.exitsWith(0, 30_000);
    expect(dev.output).toContain('Stopped.');
    const alive = startedBy(process.pid, '').filter(({ pid }) => children.includes(pid));
    expect(alive).toEqual([]);
  });
});
