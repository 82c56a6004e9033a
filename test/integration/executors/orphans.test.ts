/** An agent that is killed with -9 leaves nothing running, whatever its executors are doing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fixture, isAlive, openBench, untilGone } from './harness.ts';

let workRoot: string;
beforeAll(async () => {
  workRoot = await mkdtemp(join(tmpdir(), 'dibs-orphans-'));
});
afterAll(() => rm(workRoot, { recursive: true, force: true }));

it.each(['test.wait', 'test.busy', 'test.stubborn'])('%s ends with its agent', async (type) => {
  const agent = spawn(process.execPath, [fixture('agent'), fixture('behaviours'), type], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], WORK_ROOT: workRoot },
  });
  const [said] = (await once(agent.stdout, 'data')) as [Buffer];
  const pids = said.toString().split(' ').map(Number);
  expect(pids.map(isAlive)).not.toContain(false);
  agent.kill('SIGKILL');
  await once(agent, 'exit');
  await untilGone(pids);
});

it('the folders of dead agents are removed by the next', async () => {
  // The last of the agents above: each removed what the one before it left.
  expect(await readdir(workRoot)).toHaveLength(1);
  await using bench = await openBench([fixture('behaviours')], { workRoot });
  expect((await readdir(workRoot)).map((name) => name.split('-')[1])).toEqual([String(process.pid)]);
  expect(bench.host.executors.length).toBeGreaterThan(5);
});
