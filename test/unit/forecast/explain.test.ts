/** Why nobody runs a job, and why an agent gets nothing. */
import { describe, expect, test } from 'vitest';
import type { Member } from '../../../coordinator/agents/members.ts';
import { explainAgent, explainClass, unrunnableReason } from '../../../coordinator/forecast/explain.ts';
import type { CapabilityClass, Profile } from '../../../coordinator/queue/match.ts';

const GIB = 2 ** 30;

function member(id: string, gpuGib: number[], more: Partial<Member> = {}): Member {
  const profile: Profile = {
    types: new Set(['image.make']),
    labels: {},
    gpus: gpuGib.map((gib) => ({ vramBytes: gib * GIB, model: 'NVIDIA RTX' })),
    cpuCores: 8,
    memoryBytes: 32 * GIB,
    diskBytes: 0,
    models: new Set(),
  };
  return {
    id,
    name: id,
    profile,
    open: profile,
    key: id,
    slots: 2,
    concurrencyOf: () => 2,
    held: 0,
    heldOf: () => 0,
    throughputOf: () => undefined,
    driftOf: () => undefined,
    closed: '',
    closedWhy: '',
    ...more,
  };
}

const wants = (vramGib: number): CapabilityClass => ({
  type: 'image.make',
  requirement: {
    labels: {},
    alternatives: [{ gpus: 1, vramBytes: vramGib * GIB, cpuCores: 0, memoryBytes: 0, cost: 0 }],
  },
});

describe('explainClass', () => {
  test('a job that needs 80 GiB: the agent that comes nearest, and the gap', () => {
    const members = [member('cpu-box', []), member('a-small', [8]), member('large', [24, 24])];
    const { missed, nearest, open, eligible } = explainClass(wants(80), members);
    expect(missed).toEqual([
      {
        reason: 'vram',
        agents: 2,
        example: 'has 0 GPUs with 80 GiB (the largest has 8 GiB), 1 needed',
        exampleAgentId: 'a-small',
      },
      { reason: 'gpus', agents: 1, example: 'has 0 GPUs, 1 needed', exampleAgentId: 'cpu-box' },
    ]);
    expect(nearest).toEqual({
      agentId: 'large',
      agentName: 'large',
      reason: 'vram',
      message: 'has 0 GPUs with 80 GiB (the largest has 24 GiB), 1 needed',
      advice: 'Connect a box with such GPUs, or add an alternative that needs less.',
    });
    expect([open, eligible]).toEqual([[], 0]);
    expect(unrunnableReason(wants(80), members)).toBe(
      'None of 3 connected agents can run image.make, 1 GPU with 80 GiB; ' +
        'the nearest, large, has 0 GPUs with 80 GiB (the largest has 24 GiB), 1 needed.',
    );
  });

  test('what is only so now does not make a job unrunnable', () => {
    const busy = member('busy', [24], { held: 2 });
    const paused = member('paused', [24], { closed: 'paused', closedWhy: 'is paused' });
    const full = member('full', [24]);
    const taken = { ...full, open: { ...full.open, gpus: [{ vramBytes: 4 * GIB, model: 'NVIDIA RTX' }] } };
    const { missed, nearest, eligible } = explainClass(wants(16), [busy, paused, taken]);
    expect(missed.map(({ reason }) => reason)).toEqual(['vram_busy', 'paused', 'no_slot']);
    expect([nearest, eligible]).toEqual([undefined, 3]);
    expect(unrunnableReason(wants(16), [busy])).toBe('');
  });

  test('no agent at all', () => {
    expect(unrunnableReason(wants(16), [])).toBe(
      'No agent is connected; needed: image.make, 1 GPU with 16 GiB.',
    );
  });
});

test('explainAgent counts waiting jobs by the first thing that stands against them', () => {
  const queues = [
    { name: 'a', need: wants(80), jobs: 5 },
    { name: 'b', need: wants(8), jobs: 2 },
    { name: 'c', need: { type: 'text.sum', requirement: null }, jobs: 7 },
    { name: 'd', need: wants(40), jobs: 4 },
    { name: 'e', need: wants(99), jobs: 0 },
  ];
  expect(explainAgent(member('box', [24]), queues)).toEqual({
    skipped: [
      {
        reason: 'vram',
        jobs: 9,
        example: 'has 0 GPUs with 80 GiB (the largest has 24 GiB), 1 needed',
        exampleQueue: 'a',
      },
      { reason: 'type', jobs: 7, example: 'has no executor for text.sum', exampleQueue: 'c' },
    ],
    runnable: 2,
  });
});
