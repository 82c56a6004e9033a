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

function startAgent(type: string) {
  return spawn(process.execPath, [fixture('agent'), fixture('behaviours'), type], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], WORK_ROOT: workRoot },
  });
}

/** What its executor says: its own process, and perhaps one it started. */
async function pidsOf(agent: ReturnType<typeof startAgent>): Promise<number[]> {
  const [said] = (await once(agent.stdout, 'data')) as [Buffer];
  return said.toString().split(' ').map(Number);
}

it.each(['test.wait', 'test.busy', 'test.stubborn'])('%s ends with its agent', async (type) => {
  const agent = startAgent(type);
  const pids = await pidsOf(agent);
  expect(pids.map(isAlive)).not.toContain(false);
  agent.kill('SIGKILL');
  await once(agent, 'exit');
  await untilGone(pids);
});

it.runIf(process.platform === 'linux')(
  'one that is frozen when its agent dies ends with the next',
  async () => {
    const agent = startAgent('test.wait');
    const [pid = 0] = await pidsOf(agent);
    process.kill(pid, 'SIGSTOP');
    agent.kill('SIGKILL');
    await once(agent, 'exit');
    expect(isAlive(pid)).toBe(true);
    await using bench = await openBench([fixture('behaviours')], { workRoot });
    expect(bench.host.executors.length).toBeGreaterThan(5);
    await untilGone([pid]);
  },
);

it('the folders of dead agents are removed by the next', async () => {
  const agent = startAgent('test.wait');
  const pids = await pidsOf(agent);
  agent.kill('SIGKILL');
  await once(agent, 'exit');
  await untilGone(pids);
  expect(await readdir(workRoot)).toHaveLength(1);
  await using bench = await openBench([fixture('behaviours')], { workRoot });
  expect((await readdir(workRoot)).map((name) => name.split('-')[1])).toEqual([String(process.pid)]);
  expect(bench.host.executors.length).toBeGreaterThan(5);
});
