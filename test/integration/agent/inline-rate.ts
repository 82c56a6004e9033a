/**
 * How many inline no-op jobs a second one agent carries, against a fake coordinator in another process.
 * Run by hand: `node test/integration/agent/inline-rate.ts [seconds]`. Not a test: a figure is not right or wrong.
 *
 * Offers follow the agent's credits exactly as a coordinator's would: at most `total - (sent - offersSeen)` at once.
 */
import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createAgent } from '../../../agent/agent.ts';
import { SplitHost } from '../../../agent/claim/inline/split-host.ts';
import { createJobHost } from '../../../agent/jobs/host.ts';
import { BUILT_IN_EXECUTORS } from '../../../agent/executors/index.ts';
import { FakeCoordinator } from '../../support/fake-coordinator.ts';
import { agentConfig, quietLog } from './support/agent-config.ts';

const TYPE = 'value.echo';

async function coordinator(): Promise<void> {
  const fake = await FakeCoordinator.start();
  process.send?.({ port: fake.port });
  const session = await fake.session();
  let sent = 0;
  let done = 0;
  let total = 0;
  let seen = 0;
  let messages = 0;
  session.autoAck = false;
  session.receive = (up) => {
    messages += 1;
    if (up.credits !== null) ({ total, offersSeen: seen } = up.credits);
    done += up.completed.length;
    const acks = up.completed.map(({ jobId, token }) => ({ jobId, token, refused: '' }));
    const room = Math.max(0, total - (sent - seen));
    const offers = Array.from({ length: room }, () => {
      sent += 1;
      const jobId = `job_${sent}_abcdefghijklmnopqrst`;
      return {
        jobId,
        token: `${sent}-0123456789abcdef`,
        claimId: 'claim_test',
        type: TYPE,
        inputJson: '{"prompt":"a quiet street","n":1}',
        attempt: 1,
        cost: 1,
        workflowId: 'wf_0123456789abcdefghijklmnop',
        step: 'step',
        idempotencyKey: jobId,
      };
    });
    session.send({ acks, offers });
  };
  for (const up of session.messages.seen.splice(0)) session.receive(up);
  process.on('message', () => {
    process.send?.({ done, messages });
    process.exit(0);
  });
}

async function measure(seconds: number): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ['coordinator']);
  const port = await new Promise<number>((resolve) =>
    child.once('message', (m) => resolve((m as { port: number }).port)),
  );
  const folder = await mkdtemp(join(tmpdir(), 'dibs-rate-'));
  const agent = createAgent({
    config: agentConfig(folder, [`127.0.0.1:${port}`]),
    log: quietLog,
    createHost: (artifacts) => {
      const modules = [(BUILT_IN_EXECUTORS[TYPE] as { module: string }).module];
      const options = { modules, artifacts, log: quietLog, workRoot: join(folder, 'work') };
      return process.env['IN_MAIN'] === '1' ? createJobHost(options) : new SplitHost(options);
    },
  });
  await agent.start();
  const before = { cpu: process.cpuUsage(), at: performance.now(), finished: 0 };
  for (let second = 0; second < seconds; second += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const now = agent.status().jobs.finished;
    const cpu = process.cpuUsage(before.cpu);
    console.log(
      `${now - before.finished} jobs/s, agent cpu so far ${((cpu.user + cpu.system) / (performance.now() - before.at) / 10).toFixed(0)} %`,
    );
    before.finished = now;
  }
  child.send('stop');
  await new Promise((resolve) => child.once('message', (m) => resolve(console.log(m))));
  agent.force('measured');
  await agent.ended;
  await rm(folder, { recursive: true });
}

await (process.argv[2] === 'coordinator' ? coordinator() : measure(Number(process.argv[2] ?? 5)));
