/**
 * A small fleet of real processes does its work through its proxies, and leaves nobody behind.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import { Fleet } from '../../chaos/fleet/fleet.ts';
import { SCALED_TIMES } from '../../chaos/fleet/times.ts';
import '../../support/leaks.ts';

test('a fleet loses a member of each kind and ends its work', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'dibs-fleet-'));
  const fleet = new Fleet({
    folder,
    coordinators: 2,
    agents: ['agent-1', 'agent-2'].map((name) => ({ name, args: ['--types', 'value.echo', '--slots', '2'] })),
    durability: 't2',
    redis: 'single',
    times: SCALED_TIMES,
    proxied: true,
  });
  try {
    await fleet.start();
    using client = createClient({ address: fleet.addresses.join(',') });
    await Promise.all([fleet.redis, ...fleet.coordinators, ...fleet.agents].map((member) => member.kill()));
    await Promise.all([fleet.redis, ...fleet.coordinators, ...fleet.agents].map((member) => member.start()));
    const ids: string[] = [];
    for (let index = 0; index < 50; index += 1) {
      const { workflow } = await client.submit({ steps: [{ type: 'value.echo', input: { index } }] });
      ids.push(workflow.id);
    }
    const ended = await Promise.all(ids.map((id) => client.wait(id)));
    expect(ended.map(({ status }) => status)).toEqual(ids.map(() => 'succeeded'));
    expect(fleet.findings).toEqual([]);
  } finally {
    await fleet.stop();
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);
