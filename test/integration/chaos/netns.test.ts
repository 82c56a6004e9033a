/**
 * A pulled cable: an agent in its own network namespace hears nothing, works on, and joins again when it is plugged in.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import { Fleet } from '../../chaos/fleet/fleet.ts';
import { notPermitted } from '../../chaos/fleet/netns.ts';
import { SCALED_TIMES } from '../../chaos/fleet/times.ts';
import '../../support/leaks.ts';
import { until } from '../../support/until.ts';

const objection = await notPermitted();

test.skipIf(objection !== undefined)(
  `an agent without its cable${objection === undefined ? '' : `: skipped, ${objection}`}`,
  async () => {
    const before = Object.keys(networkInterfaces());
    const folder = await mkdtemp(join(tmpdir(), 'dibs-netns-'));
    const fleet = new Fleet({
      folder,
      coordinators: 1,
      agents: [{ name: 'agent-1', args: ['--types', 'value.echo'] }],
      durability: 't1',
      redis: 'single',
      times: SCALED_TIMES,
      proxied: true,
      netns: true,
    });
    try {
      await fleet.start();
      using client = createClient({ address: fleet.addresses.join(',') });
      const echo = (input: string) => client.submitAndGetOutput({ steps: [{ type: 'value.echo', input }] });
      expect(await echo('before')).toBe('before');

      await fleet.links.part('agent-1>coordinators');
      const held = echo('held');
      await until(
        'the agent to be missed',
        async () => (await holds(client)) === 'lost' || (await waits(client)),
        {
          timeoutMs: 30_000,
        },
      );
      await fleet.links.join('agent-1>coordinators');
      expect(await held).toBe('held');
      expect(fleet.findings).toEqual([]);
    } finally {
      await fleet.stop();
      await rm(folder, { recursive: true, force: true });
    }
    expect(Object.keys(networkInterfaces())).toEqual(before);
  },
);

/** State of the one agent. */
async function holds(client: ReturnType<typeof createClient>): Promise<string> {
  for await (const { status } of client.agents()) return status;
  return 'none';
}

/** The job has come back to its queue. */
async function waits(client: ReturnType<typeof createClient>): Promise<boolean> {
  for await (const { waiting } of client.queues()) if (waiting > 0) return true;
  return false;
}
