/** Nothing bad ever comes out of the compiler, whatever goes in. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { topologicalOrder } from '../../coordinator/workflow/graph.ts';
import type { StepSpecInput } from '../../coordinator/workflow/spec-input.ts';
import { compileWorkflow, type CompileEnv, type CompileResult } from '../../coordinator/workflow/spec.ts';

const ENV: CompileEnv = { knownTypes: new Set(['t']), costOf: () => 2 };

/** One way of writing "step `from` needs step `to`". */
type Wiring = 'dependsOn' | 'ref' | 'template' | 'items' | 'position';
const wiring = fc.constantFrom<Wiring>('dependsOn', 'ref', 'template', 'items', 'position');

interface Edge {
  readonly from: number;
  readonly to: number;
  readonly by: Wiring;
}

function specOf(count: number, edges: readonly Edge[]): StepSpecInput[] {
  return Array.from({ length: count }, (_, index): StepSpecInput => {
    const own = edges.filter((edge) => edge.from === index);
    const by = (kind: Wiring): number[] => own.filter((edge) => edge.by === kind).map((edge) => edge.to);
    const items = by('items');
    return {
      type: 't',
      name: `s.${index}`,
      dependsOn: by('dependsOn').map((to) => `s.${to}`),
      inputJson: JSON.stringify([
        ...by('ref').map((to) => ({ $ref: `s.${to}`, path: 'output.x' })),
        ...by('position').map((to) => ({ deep: [{ $ref: `$${to}` }] })),
        by('template')
          .map((to) => `{{s.${to}.output.y}}`)
          .join(' and '),
      ]),
      ...(items.length > 0 && {
        forEach: { itemsJson: JSON.stringify(items.map((to) => ({ $ref: `s.${to}`, default: 0 }))) },
      }),
    };
  });
}

function ascending(values: Iterable<number>): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

/** `reach[i]` = the steps that i needs, directly or not: by brute force. */
function reachOf(count: number, edges: readonly Edge[]): Set<number>[] {
  const reach = Array.from(
    { length: count },
    (_, index) => new Set(edges.filter((edge) => edge.from === index).map((edge) => edge.to)),
  );
  for (let round = 0; round < count; round++) {
    for (const set of reach)
      for (const middle of [...set]) for (const far of reach[middle] ?? []) set.add(far);
  }
  return reach;
}

const graph = fc.integer({ min: 1, max: 12 }).chain((count) =>
  fc.record({
    count: fc.constant(count),
    edges: fc.array(
      fc
        .record({ from: fc.nat(count - 1), to: fc.nat(count - 1), by: wiring })
        .filter((edge) => edge.from !== edge.to),
      { maxLength: 20 },
    ),
  }),
);

describe('a random graph', () => {
  test('becomes a plan exactly when it has no cycle, and each knot is reported once, at an edge in it', () => {
    fc.assert(
      fc.property(graph, ({ count, edges }) => {
        const result = compileWorkflow({ steps: specOf(count, edges) }, ENV);
        const reach = reachOf(count, edges);
        const knots = new Set<string>();
        for (let index = 0; index < count; index++) {
          if (!reach[index]?.has(index)) continue;
          knots.add(ascending([...(reach[index] ?? [])].filter((other) => reach[other]?.has(index))).join());
        }
        if (result.ok) {
          expect(knots.size).toBe(0);
          return;
        }
        expect(result.problems.map((problem) => problem.reason)).toEqual([...knots].map(() => 'DAG_CYCLE'));
        for (const problem of result.problems) {
          const index = Number(/^steps\[(\d+)\]\.(?:dependsOn|input|forEach\.items)/.exec(problem.path)?.[1]);
          expect(reach[index]?.has(index)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('without cycles keeps every edge, once, both ways', () => {
    fc.assert(
      fc.property(graph, ({ count, edges }) => {
        const forward = edges.filter((edge) => edge.to < edge.from);
        const result = compileWorkflow({ steps: specOf(count, forward) }, ENV);
        if (!result.ok) throw new Error(JSON.stringify(result.problems));
        const { steps } = result.plan;
        for (const step of steps) {
          const own = (edge: Edge): boolean => edge.from === step.index;
          expect(step.needs).toEqual(ascending(forward.filter(own).map((edge) => edge.to)));
          expect(step.dependents).toEqual(
            ascending(forward.filter((edge) => edge.to === step.index).map((edge) => edge.from)),
          );
        }
        const order = topologicalOrder(steps.map((step) => step.needs));
        expect(ascending(order)).toHaveLength(count);
        for (const step of steps) {
          for (const need of step.needs) expect(order.indexOf(need)).toBeLessThan(order.indexOf(step.index));
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** Plain data compiles or has places: never the sentence for objects that throw when they are read. */
function soundResult(result: CompileResult): void {
  if (result.ok) {
    expect(result.plan.steps.length).toBeGreaterThan(0);
    return;
  }
  expect(result.problems.length).toBeGreaterThan(0);
  for (const problem of result.problems) {
    expect(typeof problem.path).toBe('string');
    expect(problem.message).not.toBe('');
    expect(problem.message).not.toBe('could not be read');
  }
}

/** A value as it should be, or anything at all. */
function mostly<T>(right: fc.Arbitrary<T>): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 6, arbitrary: right },
    { weight: 1, arbitrary: fc.anything() },
    { weight: 1, arbitrary: fc.constantFrom<unknown>(null, undefined, '', -1, 0, Number.NaN, [], {}) },
  );
}

const name = fc.constantFrom('a', 'b', 'c', 'item', '0', '1', '$0', '$arguments', '__proto__', 'a.output');
const path = fc.constantFrom(
  'output',
  'output.x',
  'output.x[0]',
  'x',
  'output.__proto__',
  'output[',
  '',
  'output["a b"]',
);
const leaf = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.record(
    { $ref: mostly(name), path: mostly(path), default: fc.jsonValue({ maxDepth: 1 }) },
    { requiredKeys: ['$ref'] },
  ),
  fc.tuple(name, path).map(([source, where]) => `x {{${source}.${where}}} y`),
  fc.string({ unit: fc.constantFrom('{{', '}}', '\\', 'a', '.', 'output', ' ', '[', ']', '0', '$') }),
);
const input = fc.oneof(
  leaf,
  fc.array(leaf, { maxLength: 3 }),
  fc.dictionary(fc.string(), leaf, { maxKeys: 3 }),
);
const json = fc.oneof(
  input.map((value) => JSON.stringify(value) ?? ''),
  fc.string(),
);

const step = fc.record(
  {
    type: mostly(fc.constant('t')),
    name: mostly(name),
    inputJson: mostly(json),
    dependsOn: mostly(fc.array(mostly(name), { maxLength: 3 })),
    priority: mostly(fc.integer({ min: 0, max: 3 })),
    timeoutMs: mostly(fc.nat()),
    queueTimeoutMs: mostly(fc.nat()),
    retries: mostly(fc.integer({ min: 0, max: 100 })),
    metadataJson: mostly(json),
    cost: mostly(fc.double()),
    forEach: mostly(fc.record({ itemsJson: mostly(json), as: mostly(name) }, { requiredKeys: [] })),
    requirement: mostly(
      fc.record(
        {
          labels: mostly(fc.dictionary(fc.string(), fc.string())),
          alternatives: mostly(
            fc.array(mostly(fc.record({ gpus: fc.nat(), vramBytes: fc.nat(), cost: fc.double() }))),
          ),
        },
        { requiredKeys: [] },
      ),
    ),
  },
  { requiredKeys: [] },
);

const spec = fc.record(
  {
    name: mostly(fc.string()),
    steps: mostly(fc.array(mostly(step), { maxLength: 4 })),
    argumentsJson: mostly(json),
    tags: mostly(fc.array(mostly(fc.string()), { maxLength: 3 })),
    metadataJson: mostly(json),
    stateJson: mostly(json),
    failMode: mostly(fc.integer({ min: 0, max: 3 })),
    timeoutMs: mostly(fc.nat()),
    allowUnknownTypes: mostly(fc.boolean()),
    retentionMs: mostly(fc.nat()),
  },
  { requiredKeys: [] },
);

describe('never throws', () => {
  test('on anything', () => {
    fc.assert(
      fc.property(
        fc.anything({ withNullPrototype: true, withDate: true, withMap: true, withSparseArray: true }),
        (value) => {
          soundResult(compileWorkflow(value as never, ENV));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('on workflows with anything in them', () => {
    fc.assert(
      fc.property(spec, (value) => {
        soundResult(compileWorkflow(value as never, ENV));
      }),
      { numRuns: 2_000 },
    );
  });

  test('on objects that throw, lie and change while they are read', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.anything()), fc.integer({ min: 0, max: 40 }), (answers, patience) => {
        let left = patience;
        const hostile: object = new Proxy(Array.from({ length: 3 }), {
          get(target, key) {
            if (left-- <= 0) throw new Error('no');
            if (key === 'length') return 3;
            return left % 3 === 0
              ? hostile
              : left % 3 === 1
                ? answers.next().value
                : Reflect.get(target, key);
          },
          has: () => true,
        });
        const result = compileWorkflow(hostile as never, ENV);
        const nested = compileWorkflow(
          { steps: [hostile as never, { type: 't', forEach: hostile, requirement: hostile }] },
          ENV,
        );
        expect(result.ok || result.problems.length > 0).toBe(true);
        expect(nested.ok || nested.problems.length > 0).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

test('a plan survives JSON: it has nothing but data in it', () => {
  fc.assert(
    fc.property(spec, (value) => {
      const result = compileWorkflow(value as never, ENV);
      if (result.ok) expect(JSON.parse(JSON.stringify(result.plan))).toEqual(result.plan);
    }),
    { numRuns: 1_000 },
  );
});

test('the same workflow gives the same plan', () => {
  fc.assert(
    fc.property(graph, ({ count, edges }) => {
      const steps = specOf(count, edges);
      expect(compileWorkflow({ steps }, ENV)).toEqual(
        compileWorkflow({ steps: structuredClone(steps) }, ENV),
      );
    }),
  );
});

test('an input without references keeps its text', () => {
  const plain = fc.jsonValue().map((value) => JSON.stringify(value));
  fc.assert(
    fc.property(plain, fc.constantFrom('', ' ', '\n'), (text, space) => {
      fc.pre(!text.includes('{{') && !text.includes('$ref'));
      const inputJson = `${space}${text}${space}`;
      const result = compileWorkflow({ steps: [{ type: 't', inputJson }] }, ENV);
      expect(result.ok && result.plan.steps[0]?.input).toEqual({ kind: 'literal', json: inputJson });
    }),
  );
});
