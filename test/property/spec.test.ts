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

const graph = fc.integer({ min: 1, max: 12 }).chain((count) => {
  const edge = fc.record({ from: fc.nat(count - 1), to: fc.nat(count - 1), by: wiring });
  return fc
    .array(edge, { maxLength: 20 })
    .map((edges) => ({ count, edges: edges.filter(({ from, to }) => from !== to) }));
});

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

/** What is odd about an answer to plain data. Only objects that throw when they are read "could not be read". */
function oddities(result: CompileResult): unknown[] {
  if (result.ok) return result.plan.steps.length > 0 ? [] : ['a plan without steps'];
  if (result.problems.length === 0) return ['a refusal without a reason'];
  return result.problems.filter(
    ({ path, message }) => typeof path !== 'string' || message === '' || message === 'could not be read',
  );
}

const ODD: readonly unknown[] = [null, undefined, '', -1, 0, Number.NaN, [], {}];

/** Workflows in which one value in `odds` is not as it should be. */
function specs(odds: number) {
  const mostly = <T>(right: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
    fc.oneof(
      { weight: odds, arbitrary: right },
      { weight: 1, arbitrary: fc.oneof(fc.anything(), fc.constantFrom(...ODD)) },
    );
  const name = mostly(fc.constantFrom('a', 'b', 'c', 'a.output'));
  const source = mostly(fc.constantFrom('a', 'b', 'item', '0', '$0', '$1', '$arguments', '__proto__'));
  const path = mostly(
    fc.constantFrom('output', 'output.x', 'output.x[0]', '', 'output["a b"]', 'x', 'output.__proto__', 'a['),
  );
  const leaf = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.record({ $ref: source, path, default: fc.jsonValue({ maxDepth: 1 }) }, { requiredKeys: ['$ref'] }),
    fc.tuple(source, path).map((parts) => `x {{${parts.map((part) => JSON.stringify(part)).join('.')}}} y`),
    fc.constantFrom('{{a.output.x}}', '{{b}} and {{$0.output}}', '{{item.x}}', '\\{{'),
    fc.string({ unit: fc.constantFrom('{{', '}}', '\\', 'a', '.', 'output', ' ', '[', ']', '0', '$') }),
  );
  const input = fc.oneof(
    leaf,
    fc.array(leaf, { maxLength: 3 }),
    fc.dictionary(fc.string(), leaf, { maxKeys: 3 }),
  );
  const json = mostly(input.map((value) => JSON.stringify(value) ?? ''));
  const objectJson = mostly(
    fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 })).map((value) => JSON.stringify(value)),
  );
  const itemsJson = mostly(
    fc.constantFrom('3', '[1,{"x":2}]', '{"$ref":"a"}', '[{"$ref":"$1"}]', '"{{b.output.x}}"', '{}', '-1'),
  );
  const duration = mostly(fc.nat());
  const need = fc.record({ gpus: mostly(fc.nat(8)), vramBytes: mostly(fc.nat()), cost: mostly(fc.nat(100)) });
  const requirement = fc.record(
    {
      labels: mostly(fc.dictionary(fc.string({ minLength: 1 }), fc.string())),
      alternatives: mostly(fc.array(mostly(need), { maxLength: 4 })),
    },
    { requiredKeys: [] },
  );
  const step = fc.record(
    {
      type: mostly(fc.constant('t')),
      name,
      inputJson: json,
      dependsOn: mostly(fc.array(source, { maxLength: 2 })),
      priority: mostly(fc.nat(3)),
      timeoutMs: duration,
      queueTimeoutMs: duration,
      retries: mostly(fc.nat(100)),
      metadataJson: objectJson,
      cost: mostly(fc.nat(100)),
      forEach: mostly(
        fc.record({ itemsJson, as: mostly(fc.constantFrom('item', 'n')) }, { requiredKeys: ['itemsJson'] }),
      ),
      requirement: mostly(requirement),
    },
    { requiredKeys: ['type'] },
  );
  return fc.record(
    {
      name: mostly(fc.string()),
      steps: mostly(fc.array(mostly(step), { minLength: 1, maxLength: 3 })),
      argumentsJson: objectJson,
      tags: mostly(fc.array(mostly(fc.string({ minLength: 1 })), { maxLength: 3 })),
      metadataJson: objectJson,
      stateJson: json,
      failMode: mostly(fc.nat(3)),
      timeoutMs: duration,
      allowUnknownTypes: mostly(fc.boolean()),
      retentionMs: duration,
    },
    { requiredKeys: ['steps'] },
  );
}

describe('never throws', () => {
  test('on anything', () => {
    fc.assert(
      fc.property(
        fc.anything({ withNullPrototype: true, withDate: true, withMap: true, withSparseArray: true }),
        (value) => {
          expect(oddities(compileWorkflow(value as never, ENV))).toEqual([]);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('on workflows with anything in them', () => {
    fc.assert(
      fc.property(specs(6), (value) => {
        expect(oddities(compileWorkflow(value as never, ENV))).toEqual([]);
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
        const result = compileWorkflow(hostile, ENV);
        const nested = compileWorkflow(
          { steps: [hostile, { type: 't', forEach: hostile, requirement: hostile }] },
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
  let plans = 0;
  fc.assert(
    fc.property(specs(200), (value) => {
      const result = compileWorkflow(value as never, ENV);
      const plan = result.ok ? result.plan : null;
      if (plan !== null) plans++;
      expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
    }),
    { numRuns: 2_000 },
  );
  // Otherwise this test says nothing.
  expect(plans).toBeGreaterThan(20);
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
