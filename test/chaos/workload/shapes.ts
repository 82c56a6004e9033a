/**
 * What consumers submit, and what must come of it. Pure: (seed, index) always names the same workflow, so that a consumer
 * that was killed submits it again under the same request id, and the checker knows what to expect.
 *
 * Invariant: whatever faults happen, `expected` holds; the one exception is a job that stalled too often.
 */
import { ref } from '../../../sdk/client/refs.ts';
import type { StepInput, WorkflowInput } from '../../../sdk/client/workflow-input.ts';
import { seededRandom } from '../random.ts';
import type { Random } from '../random.ts';

export type ShapeName =
  | 'single'
  | 'process'
  | 'chain'
  | 'fan'
  | 'wide'
  | 'flaky'
  | 'fatal'
  | 'partial'
  | 'grow'
  | 'slow'
  | 'patient'
  | 'cancel'
  | 'expire';

export type Weights = Readonly<Partial<Record<ShapeName, number>>>;

export interface Expected {
  readonly status: 'succeeded' | 'failed' | 'expired' | 'canceled';
  /** `n` in the output of the last step, where it succeeds. */
  readonly n?: number;
}

export interface Submission {
  readonly key: string;
  readonly shape: ShapeName;
  readonly workflow: WorkflowInput;
  readonly expected: Expected;
  /** Follow its events, in place of waiting for its end. */
  readonly watch: boolean;
  /** By a call of its own, in place of the submit stream. */
  readonly unary: boolean;
  /** Submitted once more after it was acknowledged: the same, or another body under the same request id. */
  readonly again: 'same' | 'other' | undefined;
}

export const USUAL: Weights = {
  single: 36,
  process: 10,
  chain: 16,
  fan: 12,
  wide: 0.4,
  flaky: 7,
  fatal: 4,
  partial: 3,
  grow: 4,
  slow: 3,
  cancel: 2.5,
  expire: 2,
};

/** Jobs of a wide fan-out: more than one decision emits at once. */
const WIDE = 300;

export function submissionAt(seed: number, index: number, weights: Weights = USUAL): Submission {
  const random = seededRandom(seed * 1_000_003 + index);
  const shape = random.weighted(Object.entries(weights) as [ShapeName, number][]);
  const { workflow, expected } = SHAPES[shape](random);
  return {
    key: `c${seed}-${index}`,
    shape,
    workflow: { ...workflow, name: shape },
    expected,
    watch: random.chance(0.25),
    unary: random.chance(0.4),
    again: random.weighted([
      [undefined, 0.92],
      ['same', 0.05],
      ['other', 0.03],
    ] as const),
  };
}

/** Another workflow than the one this request id stands for. */
export function otherBody({ workflow }: Submission): WorkflowInput {
  return { ...workflow, name: 'another' };
}

interface Made {
  readonly workflow: WorkflowInput;
  readonly expected: Expected;
}

const succeeds = (steps: StepInput[], n: number, more: Partial<WorkflowInput> = {}): Made => ({
  workflow: { steps, ...more },
  expected: { status: 'succeeded', n },
});

function fanOut(count: number, type: string, ms: number): Made {
  return succeeds(
    [
      { type: 'chaos.parts', name: 'parts', input: { count } },
      {
        type,
        name: 'each',
        forEach: { items: ref('parts', 'output.parts'), as: 'item' },
        input: { n: ref('item'), plus: 1, ms },
      },
      { type: 'chaos.sum', name: 'sum', input: { items: ref('each', 'output.items') } },
    ],
    (count * (count - 1)) / 2 + count,
  );
}

const SHAPES: Readonly<Record<ShapeName, (random: Random) => Made>> = {
  single: (random) => {
    const n = random.int(0, 1e6);
    return succeeds([{ type: 'chaos.add', name: 'only', input: { n, plus: 1 } }], n + 1);
  },
  process: (random) => {
    const n = random.int(0, 1e6);
    return succeeds(
      [{ type: 'chaos.work', name: 'only', input: { n, plus: 2, ms: random.int(0, 60) } }],
      n + 2,
    );
  },
  chain: (random) => {
    const n = random.int(0, 1e6);
    return succeeds(
      [
        { type: 'chaos.add', name: 'a', input: { n, plus: 1 } },
        { type: 'chaos.work', name: 'b', input: { n: ref('a', 'output.n'), plus: 10, ms: 5 } },
        { type: 'chaos.add', name: 'c', input: { n: ref('b', 'output.n'), plus: 100 } },
      ],
      n + 111,
    );
  },
  fan: (random) => fanOut(random.int(2, 12), random.chance(0.5) ? 'chaos.add' : 'chaos.work', 10),
  wide: () => fanOut(WIDE, 'chaos.add', 0),
  flaky: (random) => {
    const n = random.int(0, 1e6);
    return succeeds(
      [{ type: 'chaos.flaky', name: 'only', retries: 2, input: { n, fails: random.int(1, 2) } }],
      n,
    );
  },
  fatal: () => ({
    workflow: {
      steps: [
        { type: 'chaos.fatal', name: 'bad', input: {} },
        { type: 'chaos.work', name: 'side', input: { n: 0, plus: 0, ms: 200 } },
        { type: 'chaos.add', name: 'after', dependsOn: ['bad'], input: { n: 0, plus: 0 } },
      ],
    },
    expected: { status: 'failed' },
  }),
  partial: () => ({
    workflow: {
      failMode: 'best_effort',
      steps: [
        { type: 'chaos.fatal', name: 'bad', input: {} },
        { type: 'chaos.add', name: 'good', input: { n: 1, plus: 1 } },
      ],
    },
    expected: { status: 'succeeded', n: 2 },
  }),
  grow: (random) => {
    const more = random.int(1, 4);
    return succeeds(
      [
        { type: 'chaos.grow', name: 'grow', forEach: { items: [0, 1], as: 'at' }, input: { more, n: 1 } },
        { type: 'chaos.sum', name: 'sum', input: { items: ref('grow', 'output.items') } },
      ],
      2 + 2 * more,
    );
  },
  slow: (random) => {
    const n = random.int(0, 1e6);
    return succeeds(
      [{ type: 'chaos.slow', name: 'only', input: { n, plus: 3, ms: random.int(300, 1500) } }],
      n + 3,
    );
  },
  patient: (random) => {
    const n = random.int(0, 1e6);
    return succeeds([{ type: 'chaos.work', name: 'only', input: { n, plus: 4, ms: 7000 } }], n + 4);
  },
  cancel: () => ({
    workflow: {
      steps: [
        { type: 'chaos.hold', name: 'hold', input: {} },
        { type: 'chaos.add', name: 'after', dependsOn: ['hold'], input: { n: 0, plus: 0 } },
      ],
    },
    expected: { status: 'canceled' },
  }),
  expire: () => ({
    workflow: { steps: [{ type: 'chaos.hold', name: 'only', timeout: '400ms', input: {} }] },
    expected: { status: 'expired' },
  }),
};
