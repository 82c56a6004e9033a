/** Six unlike agents, 500 jobs of twelve requirements: nothing runs where it must not, nobody and nothing starves. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient, RequirementInput } from '../../../sdk/client/index.ts';
import { startCoordinator } from '../../support/coordinator.ts';
import type { TestCoordinator } from '../../support/coordinator.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import { useRedis } from '../../support/redis.ts';

const GIB = 2 ** 30;
const JOBS = 500;
const SLOTS = 4;
const TYPE = 'image.make';

interface Box {
  readonly id: string;
  readonly labels: Record<string, string>;
  readonly gpus: readonly (readonly [model: string, gib: number])[];
  readonly cpuCores: number;
  readonly memoryGib: number;
  readonly diskGib: number;
  readonly models: readonly string[];
}

const BOXES: readonly Box[] = [
  {
    id: 'h100',
    labels: { zone: 'eu', cuda: '12.4' },
    gpus: [['NVIDIA H100 80GB HBM3', 80]],
    cpuCores: 32,
    memoryGib: 256,
    diskGib: 900,
    models: ['sdxl', 'flux'],
  },
  {
    id: 'pair',
    labels: { zone: 'us', cuda: '12.1', spot: 'yes' },
    gpus: [
      ['NVIDIA A100-SXM4-40GB', 40],
      ['NVIDIA A100-SXM4-40GB', 40],
    ],
    cpuCores: 64,
    memoryGib: 128,
    diskGib: 400,
    models: ['sdxl'],
  },
  {
    id: 'desk',
    labels: { zone: 'eu', cuda: '11.8' },
    gpus: [['NVIDIA GeForce RTX 4090', 24]],
    cpuCores: 16,
    memoryGib: 64,
    diskGib: 100,
    models: ['sdxl'],
  },
  {
    id: 'old',
    labels: { zone: 'us' },
    gpus: [['NVIDIA GeForce GTX 1080', 8]],
    cpuCores: 8,
    memoryGib: 16,
    diskGib: 50,
    models: [],
  },
  {
    id: 'cpu',
    labels: { zone: 'eu', tier: 'gold' },
    gpus: [],
    cpuCores: 96,
    memoryGib: 512,
    diskGib: 2000,
    models: ['flux'],
  },
  {
    id: 'tiny',
    labels: { zone: 'ap', tier: 'bronze', spot: 'yes' },
    gpus: [],
    cpuCores: 2,
    memoryGib: 2,
    diskGib: 10,
    models: [],
  },
];

/** Each with the boxes that may run it, and the cost there, by hand. */
const SHAPES: readonly {
  readonly requirement?: RequirementInput;
  readonly on: Readonly<Record<string, number>>;
}[] = [
  { on: { h100: 3, pair: 3, desk: 3, old: 3, cpu: 3, tiny: 3 } },
  { requirement: { labels: { zone: 'eu' } }, on: { h100: 3, desk: 3, cpu: 3 } },
  { requirement: { labels: { zone: { in: ['us', 'ap'] } } }, on: { pair: 3, old: 3, tiny: 3 } },
  {
    requirement: { labels: { spot: { exists: false }, zone: { notIn: ['us'] } } },
    on: { h100: 3, desk: 3, cpu: 3 },
  },
  { requirement: { labels: { cuda: { '>=': 12, '<': 12.4 } } }, on: { pair: 3 } },
  { requirement: { alternatives: [{ vram: '80GiB' }] }, on: { h100: 3 } },
  { requirement: { alternatives: [{ gpus: 2, vram: '40GiB' }] }, on: { pair: 3 } },
  {
    requirement: {
      alternatives: [
        { gpus: 1, vram: '24GiB' },
        { cpuCores: 32, cost: 12 },
      ],
    },
    on: { h100: 3, pair: 3, desk: 3, cpu: 12 },
  },
  {
    requirement: { models: ['sdxl'], alternatives: [{ gpuModels: ['a100', 'rtx'] }] },
    on: { pair: 3, desk: 3 },
  },
  { requirement: { models: ['flux'] }, on: { h100: 3, cpu: 3 } },
  {
    requirement: {
      alternatives: [
        { memory: '100GiB', disk: '500GiB', cost: 5 },
        { gpus: 1, cost: 7 },
      ],
    },
    on: { h100: 5, cpu: 5, pair: 7, desk: 7, old: 7 },
  },
  { requirement: { labels: { tier: 'bronze' }, alternatives: [{ cpuCores: 2 }] }, on: { tiny: 3 } },
];

const redis = useRedis();
let one: TestCoordinator;
let client: DibsClient;
const agents: RawAgent[] = [];

beforeAll(async () => {
  one = await startCoordinator(redis().url, { times: { pollMs: 50 } });
  client = createClient({ address: one.address });
});
afterAll(async () => {
  for (const agent of agents) agent.close();
  client?.close();
  await one?.stop();
});

function connect(box: Box): RawAgent {
  const agent = new RawAgent({
    address: one.address,
    id: box.id,
    types: [TYPE],
    credits: SLOTS,
    answer: () => ({ output: box.id }),
    hello: {
      advertisement: {
        executors: [
          { type: TYPE, version: '1', concurrency: SLOTS, models: box.models.map((name) => ({ name })) },
        ],
        labels: box.labels,
        slots: SLOTS,
        hardware: {
          cpuCores: box.cpuCores,
          memoryBytes: box.memoryGib * GIB,
          // More than the round figure: free disk is counted in steps, rounded down.
          diskFreeBytes: box.diskGib * 1.2 * GIB,
          gpus: box.gpus.map(([model, gib], index) => ({
            uuid: `GPU-${box.id}-${index}`,
            model,
            vramBytes: gib * GIB,
          })),
        },
      },
    },
  });
  agents.push(agent);
  return agent;
}

test('no job runs on a box that does not fit, at the cost of the alternative that fits best, and all of them run', async () => {
  await Promise.all(BOXES.map((box) => connect(box).welcomed));
  const shapes = Array.from({ length: JOBS }, (_, index) => index % SHAPES.length);
  const ended = new Map<number, string>();
  const results = client.submitMany(
    shapes.map((shape, index) => ({
      requestId: `job-${index}`,
      workflow: {
        steps: [
          {
            type: TYPE,
            input: { shape },
            cost: 3,
            ...(SHAPES[shape]?.requirement !== undefined && { requirement: SHAPES[shape].requirement }),
          },
        ],
      },
    })),
    { results: true },
  );
  for await (const outcome of results) {
    expect(outcome.kind).not.toBe('refused');
    if (outcome.kind === 'ended') ended.set(outcome.index, outcome.result.status);
  }
  expect(ended.size).toBe(JOBS);
  expect([...new Set(ended.values())]).toEqual(['succeeded']);
  let offers = 0;
  for (const agent of agents) {
    for (const offer of agent.offers) {
      const { shape } = JSON.parse(offer.inputJson) as { shape: number };
      expect({ shape, box: agent.id, cost: SHAPES[shape]?.on[agent.id] }).toEqual({
        shape,
        box: agent.id,
        cost: offer.cost,
      });
      offers++;
    }
    expect(agent.offers.length, `jobs of ${agent.id}`).toBeGreaterThan(0);
  }
  expect(offers).toBe(JOBS);
});
