/** Who can run what, at what cost, and what is said to those who cannot. */
import { describe, expect, test } from 'vitest';
import { canRun, type Match, type Profile } from '../../../coordinator/queue/match.ts';
import type { HardwareNeed } from '../../../coordinator/workflow/plan.ts';

const GIB = 2 ** 30;

const BOX: Profile = {
  types: new Set(['image.make']),
  labels: { zone: 'eu', tier: '' },
  gpus: [
    { vramBytes: 24 * GIB, model: 'NVIDIA GeForce RTX 4090' },
    { vramBytes: 8 * GIB, model: 'NVIDIA RTX A2000' },
  ],
  cpuCores: 16,
  memoryBytes: 64 * GIB,
  diskBytes: 100 * GIB,
  models: new Set(['image.make sdxl']),
};

function match(
  alternatives: Partial<HardwareNeed>[],
  labels: Record<string, string> = {},
  cost?: number,
): Match {
  const needs = alternatives.map((need) => ({
    gpus: 0,
    vramBytes: 0,
    cpuCores: 0,
    memoryBytes: 0,
    cost: 0,
    ...need,
  }));
  const requirement = { labels, alternatives: needs };
  return canRun(BOX, { type: 'image.make', requirement, ...(cost !== undefined && { cost }) });
}

const no = (predicate: string, message: string) => expect.objectContaining({ ok: false, predicate, message });

test('the type alone', () => {
  expect(canRun(BOX, { type: 'image.make', requirement: null })).toEqual({ ok: true, cost: 0 });
  expect(canRun(BOX, { type: 'image.make', requirement: null, cost: 3 })).toEqual({ ok: true, cost: 3 });
  expect(canRun(BOX, { type: 'text.sum', requirement: null })).toEqual(
    no('type', 'has no executor for text.sum'),
  );
});

describe('labels', () => {
  test.each([[{ zone: 'eu' }], [{ tier: '' }], [{ zone: 'eu', tier: '' }]])('%j', (labels) => {
    expect(match([], labels).ok).toBe(true);
  });

  test.each([
    [{ zone: 'us' }, 'has label zone=eu, zone=us needed'],
    [{ disk: 'ssd' }, 'has no label disk, disk=ssd needed'],
    [{ toString: 'x' }, 'has no label toString, toString=x needed'],
  ])('%j', (labels, message) => {
    expect(match([], labels as unknown as Record<string, string>)).toEqual(no('label', message));
  });
});

describe('hardware', () => {
  test.each<[Partial<HardwareNeed>]>([
    [{}],
    [{ gpus: 2 }],
    [{ gpus: 1, vramBytes: 24 * GIB }],
    [{ gpus: 2, vramBytes: 8 * GIB }],
    [{ vramBytes: 24 * GIB }],
    [{ cpuCores: 16, memoryBytes: 64 * GIB }],
  ])('fits: %j', (need) => {
    expect(match([need])).toEqual({ ok: true, cost: 0 });
  });

  test.each<[Partial<HardwareNeed>, string, string]>([
    [{ gpus: 3 }, 'gpus', 'has 2 GPUs, 3 needed'],
    [{ gpus: 2, vramBytes: 24 * GIB }, 'vram', 'has 1 GPU with 24 GiB (the largest has 24 GiB), 2 needed'],
    [{ vramBytes: 80 * GIB }, 'vram', 'has 0 GPUs with 80 GiB (the largest has 24 GiB), 1 needed'],
    [{ vramBytes: 24.01 * GIB }, 'vram', 'has 0 GPUs with 24.01 GiB (the largest has 24 GiB), 1 needed'],
    [{ cpuCores: 32 }, 'cpu', 'has 16 CPU cores, 32 needed'],
    [{ memoryBytes: 65 * GIB }, 'memory', 'has 64 GiB of memory, 65 GiB needed'],
  ])('does not fit: %j', (need, predicate, message) => {
    expect(match([need])).toEqual(no(predicate, message));
  });
});

describe('alternatives', () => {
  test('any one suffices', () => {
    expect(match([{ gpus: 8 }, { cpuCores: 8, cost: 5 }])).toEqual({ ok: true, cost: 5 });
  });

  test('the cheapest that fits is taken', () => {
    expect(
      match([
        { cpuCores: 8, cost: 5 },
        { gpus: 1, cost: 2 },
        { gpus: 8, cost: 1 },
      ]),
    ).toEqual({ ok: true, cost: 2 });
  });

  test('one without a cost has that of the step', () => {
    const both = [{ cpuCores: 8, cost: 5 }, { gpus: 1 }];
    expect(match(both, {}, 9)).toEqual({ ok: true, cost: 5 });
    expect(match(both, {}, 2)).toEqual({ ok: true, cost: 2 });
    expect(match(both)).toEqual({ ok: true, cost: 0 });
  });

  test('the nearest miss is told', () => {
    expect(match([{ gpus: 4 }, { gpus: 1, memoryBytes: 999 * GIB }, { cpuCores: 99 }])).toMatchObject({
      predicate: 'memory',
    });
  });

  test('a label all of them lack comes first', () => {
    expect(match([{ gpus: 4 }], { zone: 'us' })).toMatchObject({ predicate: 'label' });
  });
});
