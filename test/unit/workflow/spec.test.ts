/** Which workflows compile, into what, and what is said of those that do not. */
import { describe, expect, test } from 'vitest';
import { MAX_COST, MAX_DURATION_MS } from '../../../coordinator/workflow/limits.ts';
import { compileWorkflow, type WorkflowSpecInput } from '../../../coordinator/workflow/spec.ts';
import { ENV, mistakes, planOf, sentence, step, steps } from './specs.ts';

const ONE = step();

describe('a plan', () => {
  test('has a default for everything left out', () => {
    expect(planOf({ steps: [{ type: 'text.sum' }] })).toEqual({
      name: '',
      failMode: 'fail_fast',
      timeoutMs: 0,
      retentionMs: 30 * 86_400_000,
      tags: [],
      argumentsJson: '{}',
      metadataJson: '{}',
      stateJson: 'null',
      steps: [
        {
          index: 0,
          name: '0',
          type: 'text.sum',
          needs: [],
          dependents: [],
          input: { kind: 'literal', json: '{}' },
          fanOut: null,
          band: 1,
          timeoutMs: 0,
          queueTimeoutMs: 0,
          retries: 0,
          cost: 1,
          requirement: null,
          queue: 'text.sum',
          metadataJson: '{}',
        },
      ],
    });
  });

  test('takes a decoded message, where what was left out is empty', () => {
    const decoded = {
      name: '',
      steps: [
        {
          type: 'text.sum',
          name: '',
          inputJson: '',
          dependsOn: [],
          priority: 0,
          timeoutMs: 0,
          retries: 0,
          metadataJson: '',
          forEach: null,
          cost: 0,
          requirement: null,
          queueTimeoutMs: 0,
        },
      ],
      argumentsJson: '',
      tags: [],
      metadataJson: '',
      stateJson: '',
      failMode: 0,
      timeoutMs: 0,
      allowUnknownTypes: false,
      retentionMs: 0,
    };
    expect(planOf(decoded)).toEqual(planOf({ steps: [{ type: 'text.sum' }] }));
  });

  test('keeps what was given', () => {
    const plan = planOf({
      name: 'nightly',
      failMode: 3,
      timeoutMs: 1000,
      retentionMs: 2000,
      tags: ['a', 'b', 'a'],
      argumentsJson: '{ "x": 1 }',
      metadataJson: '{"m":[]}',
      stateJson: '"s"',
      steps: [
        {
          type: 'image.make',
          name: 'hero',
          inputJson: ' { "n": 12345678901234567890 } ',
          priority: 3,
          timeoutMs: 5,
          queueTimeoutMs: 6,
          retries: 7,
          cost: 2.5,
          metadataJson: '{"k":1}',
          requirement: { labels: { zone: 'eu' }, alternatives: [{ vramBytes: 8, cost: 3 }] },
        },
      ],
    });
    expect(plan).toMatchObject({
      name: 'nightly',
      failMode: 'best_effort',
      timeoutMs: 1000,
      retentionMs: 2000,
      tags: ['a', 'b'],
      argumentsJson: '{ "x": 1 }',
      metadataJson: '{"m":[]}',
      stateJson: '"s"',
    });
    expect(plan.steps[0]).toMatchObject({
      name: 'hero',
      input: { kind: 'literal', json: ' { "n": 12345678901234567890 } ' },
      band: 2,
      timeoutMs: 5,
      queueTimeoutMs: 6,
      retries: 7,
      cost: 2.5,
      metadataJson: '{"k":1}',
      requirement: {
        labels: { zone: 'eu' },
        alternatives: [{ gpus: 1, vramBytes: 8, cpuCores: 0, memoryBytes: 0, cost: 3 }],
      },
    });
    expect(plan.steps[0]?.queue).toMatch(/^image\.make#[0-9a-v]{12}$/);
  });

  test.each([
    [undefined, 1],
    [0, 1],
    [1, 0],
    [2, 1],
    [3, 2],
  ] as const)('priority %s is band %s', (priority, band) => {
    expect(planOf({ steps: [{ ...ONE, priority }] }).steps[0]?.band).toBe(band);
  });

  test.each([
    [undefined, 'fail_fast'],
    [0, 'fail_fast'],
    [1, 'fail_fast'],
    [2, 'continue'],
    [3, 'best_effort'],
  ] as const)('fail mode %s is %s', (failMode, word) => {
    expect(planOf({ steps: [ONE], failMode }).failMode).toBe(word);
  });

  test('joins dependsOn and references to one set of edges', () => {
    const plan = planOf(
      steps(
        { name: 'a' },
        { name: 'b' },
        { name: 'c', dependsOn: ['b', 'a', 'b'], input: { x: { $ref: 'a' }, y: '{{b.output.t}}' } },
        { name: 'd', items: { $ref: 'c', path: 'output.list' }, input: { x: { $ref: '$0' } } },
      ),
    );
    expect(plan.steps.map((each) => each.needs)).toEqual([[], [], [0, 1], [0, 2]]);
    expect(plan.steps.map((each) => each.dependents)).toEqual([[2, 3], [2], [3], []]);
  });

  test('a chain of 10,000 steps', () => {
    const plan = planOf({
      steps: Array.from({ length: 10_000 }, (_, index) =>
        step(index === 0 ? {} : { input: { x: { $ref: `$${index - 1}` } } }),
      ),
    });
    expect(plan.steps[9_999]?.needs).toEqual([9_998]);
    expect(plan.steps[9_998]?.dependents).toEqual([9_999]);
  });
});

describe('cost', () => {
  const costOf = (_type: string, input: unknown): number =>
    (input as { pixels?: number }).pixels ?? Number.NaN;
  const env = { ...ENV, costOf };
  const costIn = (spec: WorkflowSpecInput): number | undefined => planOf(spec, env).steps.at(-1)?.cost;

  test('of the step comes first', () => {
    expect(costIn({ steps: [{ ...step({ input: { pixels: 9 } }), cost: 4 }] })).toBe(4);
  });

  test('comes from the input otherwise', () => {
    expect(costIn(steps({ input: { pixels: 9 } }))).toBe(9);
  });

  test.each([0, -1, Number.NaN])('declared as %s is 1', (pixels) => {
    expect(planOf(steps({ input: {} }), { ...ENV, costOf: () => pixels }).steps[0]?.cost).toBe(1);
  });

  test('declared too high is brought down', () => {
    expect(planOf(steps({}), { ...ENV, costOf: () => Number.POSITIVE_INFINITY }).steps[0]?.cost).toBe(
      MAX_COST,
    );
  });

  test('is left open while the input is not known', () => {
    expect(costIn(steps({ name: 'a' }, { input: { pixels: { $ref: 'a' } } }))).toBe(0);
    expect(costIn(steps({ items: 3 }))).toBe(0);
  });

  test('is 1 where nobody declares any', () => {
    expect(planOf(steps({ name: 'a' }, { input: { x: { $ref: 'a' } } })).steps[1]?.cost).toBe(1);
  });
});

describe('an input left out', () => {
  const inputOf = (spec: WorkflowSpecInput) => planOf(spec).steps.at(-1)?.input;

  test('is {} without dependencies', () => {
    expect(inputOf(steps({ name: 'a' }))).toEqual({ kind: 'literal', json: '{}' });
  });

  test('is the outputs of the steps named in dependsOn', () => {
    expect(inputOf(steps({ name: 'a' }, { name: 'b' }, { dependsOn: ['b', 'a'] }))).toMatchObject({
      kind: 'template',
      parts: ['{"a":', { source: 0, path: [] }, ',"b":', { source: 1, path: [] }, '}'],
    });
  });

  test('is so for a single one too', () => {
    expect(inputOf(steps({ name: 'a' }, { dependsOn: ['a'] }))).toMatchObject({
      parts: ['{"a":', { source: 0 }, '}'],
    });
  });

  test('has the loop variable in a fan-out', () => {
    expect(inputOf(steps({ name: 'a' }, { dependsOn: ['a'], items: 3, as: 'n' }))).toMatchObject({
      parts: ['{"n":', { source: -2, path: [] }, ',"a":', { source: 0 }, '}'],
    });
  });

  test('differs from an explicit {}', () => {
    expect(inputOf(steps({ name: 'a' }, { dependsOn: ['a'], input: {} }))).toEqual({
      kind: 'literal',
      json: '{}',
    });
  });
});

describe('fan-out', () => {
  const fanOutOf = (spec: WorkflowSpecInput) => planOf(spec).steps.at(-1)?.fanOut;

  test('over a number', () => {
    expect(fanOutOf(steps({ items: 4 }))).toEqual({ kind: 'count', count: 4, as: 'item' });
  });

  test('over nothing', () => {
    expect(fanOutOf(steps({ items: 0 }))).toEqual({ kind: 'count', count: 0, as: 'item' });
    expect(fanOutOf(steps({ items: [] }))).toEqual({ kind: 'items', items: [], as: 'item' });
  });

  test('over a list', () => {
    expect(fanOutOf(steps({ items: ['a', { b: 1 }], as: 'frame' }))).toEqual({
      kind: 'items',
      items: ['a', { b: 1 }],
      as: 'frame',
    });
  });

  test.each([[{ $ref: 'a', path: 'output.list' }], ['{{a.output.list}}']])(
    'over a reference: %j',
    (items) => {
      expect(fanOutOf(steps({ name: 'a' }, { items }))).toMatchObject({
        kind: 'ref',
        parts: [{ source: 0, path: ['list'] }],
      });
    },
  );

  test('over a list of references', () => {
    expect(fanOutOf(steps({ name: 'a' }, { items: [1, { $ref: 'a', path: 'output.x' }] }))).toMatchObject({
      kind: 'ref',
      parts: ['[1,', { source: 0, path: ['x'] }, ']'],
    });
  });
});

describe('refuses', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  const many = (count: number): string => JSON.stringify(Array.from({ length: count }, () => 0));
  const two = (second: object): WorkflowSpecInput => ({
    steps: [
      { ...ONE, name: 'a' },
      { ...ONE, ...second },
    ],
  });
  const one = (fields: object): WorkflowSpecInput => ({ steps: [{ ...ONE, ...fields }] });
  const needs = (alternative: object): WorkflowSpecInput =>
    one({ requirement: { alternatives: [alternative] } });

  test.each<[string, WorkflowSpecInput, string]>([
    // The workflow.
    ['no steps', {}, 'steps REQUIRED'],
    ['an empty list of steps', { steps: [] }, 'steps REQUIRED'],
    ['too many steps', { steps: Array.from({ length: 10_001 }, () => ONE) }, 'steps TOO_MANY'],
    ['steps that are no list', { steps: 'x' as never }, 'steps INVALID_VALUE'],
    ['a name that is too long', { steps: [ONE], name: 'x'.repeat(201) }, 'name TOO_LONG'],
    ['a name that is no text', { steps: [ONE], name: 5 as never }, 'name INVALID_VALUE'],
    ['too many tags', { steps: [ONE], tags: Array.from({ length: 33 }, String) }, 'tags TOO_MANY'],
    ['a long tag', { steps: [ONE], tags: ['a', 'x'.repeat(129)] }, 'tags[1] TOO_LONG'],
    ['an empty tag', { steps: [ONE], tags: [''] }, 'tags[0] REQUIRED'],
    ['an unknown fail mode', { steps: [ONE], failMode: 4 }, 'failMode INVALID_VALUE'],
    ['a negative fail mode', { steps: [ONE], failMode: -1 }, 'failMode INVALID_VALUE'],
    ['a negative timeout', { steps: [ONE], timeoutMs: -1 }, 'timeoutMs OUT_OF_RANGE'],
    [
      'a timeout without end',
      { steps: [ONE], timeoutMs: Number.POSITIVE_INFINITY },
      'timeoutMs INVALID_VALUE',
    ],
    ['a timeout that is no number', { steps: [ONE], timeoutMs: Number.NaN }, 'timeoutMs INVALID_VALUE'],
    ['a timeout of eleven years', { steps: [ONE], timeoutMs: MAX_DURATION_MS + 1 }, 'timeoutMs OUT_OF_RANGE'],
    ['half a millisecond', { steps: [ONE], retentionMs: 0.5 }, 'retentionMs INVALID_VALUE'],
    ['arguments that are no JSON', { steps: [ONE], argumentsJson: '{x}' }, 'arguments INVALID_JSON'],
    ['arguments that are a list', { steps: [ONE], argumentsJson: '[]' }, 'arguments INVALID_VALUE'],
    ['metadata that are null', { steps: [ONE], metadataJson: 'null' }, 'metadata INVALID_VALUE'],
    ['metadata that are no text', { steps: [ONE], metadataJson: {} as never }, 'metadata INVALID_VALUE'],
    ['a state that is no JSON', { steps: [ONE], stateJson: 'nil' }, 'state INVALID_JSON'],
    ['a large state', { steps: [ONE], stateJson: `"${'x'.repeat(65_536)}"` }, 'state INPUT_TOO_LARGE'],
    ['deep arguments', { steps: [ONE], argumentsJson: `{"a":${nested(64)}}` }, 'arguments TOO_DEEP'],

    // A step.
    ['a step that is null', { steps: [null as never] }, 'steps[0] INVALID_VALUE'],
    ['a step that is a list', { steps: [[] as never] }, 'steps[0] INVALID_VALUE'],
    ['a step without a type', { steps: [{}] }, 'steps[0].type REQUIRED'],
    ['a type with a space', one({ type: 'a b' }), 'steps[0].type INVALID_VALUE'],
    ['a type with a #', one({ type: 'a#b' }), 'steps[0].type INVALID_VALUE'],
    ['a long type', one({ type: 'x'.repeat(129) }), 'steps[0].type INVALID_VALUE'],
    ['an unknown type', one({ type: 'text.sun' }), 'steps[0].type UNKNOWN_STEP_TYPE'],
    ['a name with $', one({ name: '$0' }), 'steps[0].name INVALID_VALUE'],
    ['a name that begins with a dot', one({ name: '.a' }), 'steps[0].name INVALID_VALUE'],
    ['a long name', one({ name: 'x'.repeat(101) }), 'steps[0].name INVALID_VALUE'],
    ['a name that is no text', one({ name: 7 }), 'steps[0].name INVALID_VALUE'],
    ['the name constructor', one({ name: 'constructor' }), 'steps[0].name INVALID_VALUE'],
    ['the same name twice', two({ name: 'a' }), 'steps[1].name DUPLICATE_NAME'],
    [
      'the index of another one as a name',
      { steps: [ONE, { ...ONE, name: '0' }] },
      'steps[1].name DUPLICATE_NAME',
    ],
    ['negative retries', one({ retries: -1 }), 'steps[0].retries OUT_OF_RANGE'],
    ['too many retries', one({ retries: 101 }), 'steps[0].retries OUT_OF_RANGE'],
    ['half a retry', one({ retries: 1.5 }), 'steps[0].retries INVALID_VALUE'],
    ['a negative cost', one({ cost: -1 }), 'steps[0].cost OUT_OF_RANGE'],
    ['a cost without end', one({ cost: Number.POSITIVE_INFINITY }), 'steps[0].cost INVALID_VALUE'],
    ['a huge cost', one({ cost: 1e9 }), 'steps[0].cost OUT_OF_RANGE'],
    ['an unknown priority', one({ priority: 4 }), 'steps[0].priority INVALID_VALUE'],
    ['a negative timeout of a step', one({ timeoutMs: -5 }), 'steps[0].timeoutMs OUT_OF_RANGE'],
    ['a queue timeout as text', one({ queueTimeoutMs: '5' }), 'steps[0].queueTimeoutMs INVALID_VALUE'],
    ['metadata that are a number', one({ metadataJson: '5' }), 'steps[0].metadata INVALID_VALUE'],
    [
      'large metadata',
      one({ metadataJson: `{"a":"${'x'.repeat(65_536)}"}` }),
      'steps[0].metadata INPUT_TOO_LARGE',
    ],

    // Its input.
    ['an input that is no JSON', one({ inputJson: '{' }), 'steps[0].input INVALID_JSON'],
    ['an input that is an object', one({ inputJson: {} }), 'steps[0].input INVALID_VALUE'],
    ['a large input', one({ inputJson: `"${'x'.repeat(1_048_575)}"` }), 'steps[0].input INPUT_TOO_LARGE'],
    [
      'an input that is large in bytes',
      one({ inputJson: `"${'é'.repeat(524_288)}"` }),
      'steps[0].input INPUT_TOO_LARGE',
    ],
    ['a deep input', one({ inputJson: nested(65) }), 'steps[0].input TOO_DEEP'],
    ['an input of a million brackets', one({ inputJson: '['.repeat(1_000_000) }), 'steps[0].input TOO_DEEP'],
    [
      'nine inputs of a megabyte',
      { steps: Array.from({ length: 9 }, () => ({ ...ONE, inputJson: `"${'x'.repeat(1_000_000)}"` })) },
      'steps INPUT_TOO_LARGE',
    ],

    // Its fan-out.
    ['a fan-out without items', one({ forEach: {} }), 'steps[0].forEach.items REQUIRED'],
    ['a fan-out that is a list', one({ forEach: [] }), 'steps[0].forEach INVALID_VALUE'],
    ['items that are no JSON', one({ forEach: { itemsJson: '[' } }), 'steps[0].forEach.items INVALID_JSON'],
    [
      'items that are an object',
      one({ forEach: { itemsJson: '{}' } }),
      'steps[0].forEach.items INVALID_VALUE',
    ],
    ['items that are text', one({ forEach: { itemsJson: '"5"' } }), 'steps[0].forEach.items INVALID_VALUE'],
    ['one and a half items', one({ forEach: { itemsJson: '1.5' } }), 'steps[0].forEach.items INVALID_VALUE'],
    ['less than no items', one({ forEach: { itemsJson: '-1' } }), 'steps[0].forEach.items OUT_OF_RANGE'],
    [
      'a count that is too high',
      one({ forEach: { itemsJson: '100001' } }),
      'steps[0].forEach.items TOO_MANY',
    ],
    ['too many items', one({ forEach: { itemsJson: many(100_001) } }), 'steps[0].forEach.items TOO_MANY'],
    [
      'items in longer text',
      two({ forEach: { itemsJson: '"x {{a}}"' } }),
      'steps[1].forEach.items INVALID_VALUE',
    ],
    [
      'escaped braces as items',
      one({ forEach: { itemsJson: '"\\\\{{a}}"' } }),
      'steps[0].forEach.items INVALID_VALUE',
    ],
    [
      'a loop variable with $',
      one({ forEach: { itemsJson: '1', as: '$x' } }),
      'steps[0].forEach.as INVALID_VALUE',
    ],
    [
      'the loop variable __proto__',
      one({ forEach: { itemsJson: '1', as: '__proto__' } }),
      'steps[0].forEach.as INVALID_VALUE',
    ],
    [
      'the name of a step as loop variable',
      two({ forEach: { itemsJson: '1', as: 'a' } }),
      'steps[1].forEach.as DUPLICATE_NAME',
    ],

    // What it requires.
    ['a requirement that is text', one({ requirement: 'gpu' }), 'steps[0].requirement INVALID_VALUE'],
    [
      'labels that are a list',
      one({ requirement: { labels: [] } }),
      'steps[0].requirement.labels INVALID_VALUE',
    ],
    [
      'a label that is a number',
      one({ requirement: { labels: { a: 1 } } }),
      'steps[0].requirement.labels.a INVALID_VALUE',
    ],
    [
      'a condition on a label without an operator',
      one({ requirement: { labelNeeds: [{ name: 'zone' }] } }),
      'steps[0].requirement.labelNeeds[0].operator INVALID_VALUE',
    ],
    [
      'a condition on a label without a name',
      one({ requirement: { labelNeeds: [{ operator: 3 }] } }),
      'steps[0].requirement.labelNeeds[0].name INVALID_VALUE',
    ],
    [
      'an operator with too many values',
      one({ requirement: { labelNeeds: [{ name: 'zone', operator: 3, values: ['eu'] }] } }),
      'steps[0].requirement.labelNeeds[0].values INVALID_VALUE',
    ],
    [
      'an operator without a value',
      one({ requirement: { labelNeeds: [{ name: 'zone', operator: 1 }] } }),
      'steps[0].requirement.labelNeeds[0].values INVALID_VALUE',
    ],
    [
      'a comparison with no number',
      one({ requirement: { labelNeeds: [{ name: 'cuda', operator: 7, values: ['12.1.0'] }] } }),
      'steps[0].requirement.labelNeeds[0].values INVALID_VALUE',
    ],
    [
      'a model without a name',
      one({ requirement: { models: ['sdxl', ''] } }),
      'steps[0].requirement.models[1] INVALID_VALUE',
    ],
    [
      'a model of a GPU that is no text',
      one({ requirement: { alternatives: [{ gpuModels: [7] }] } }),
      'steps[0].requirement.alternatives[0].gpuModels[0] INVALID_VALUE',
    ],
    [
      'a label without a name',
      one({ requirement: { labels: { '': 'x' } } }),
      'steps[0].requirement.labels[""] INVALID_VALUE',
    ],
    [
      'the label constructor',
      one({ requirement: { labels: { constructor: 'x' } } }),
      'steps[0].requirement.labels.constructor INVALID_VALUE',
    ],
    [
      'a long label',
      one({ requirement: { labels: { zone: 'x'.repeat(257) } } }),
      'steps[0].requirement.labels.zone TOO_LONG',
    ],
    [
      'too many labels',
      one({
        requirement: {
          labels: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`l${index}`, ''])),
        },
      }),
      'steps[0].requirement.labels TOO_MANY',
    ],
    [
      'too many alternatives',
      one({ requirement: { alternatives: Array.from({ length: 17 }, () => ({})) } }),
      'steps[0].requirement.alternatives TOO_MANY',
    ],
    [
      'an alternative that is a number',
      one({ requirement: { alternatives: [5] } }),
      'steps[0].requirement.alternatives[0] INVALID_VALUE',
    ],
    ['half a GPU', needs({ gpus: 0.5 }), 'steps[0].requirement.alternatives[0].gpus INVALID_VALUE'],
    [
      'negative memory',
      needs({ memoryBytes: -1 }),
      'steps[0].requirement.alternatives[0].memoryBytes OUT_OF_RANGE',
    ],
    ['a negative cost there', needs({ cost: -1 }), 'steps[0].requirement.alternatives[0].cost OUT_OF_RANGE'],

    // Its edges.
    ['dependsOn that is text', one({ dependsOn: 'a' }), 'steps[0].dependsOn INVALID_VALUE'],
    ['a dependency that is a number', two({ dependsOn: ['a', 0] }), 'steps[1].dependsOn[1] INVALID_VALUE'],
    ['an unknown dependency', two({ dependsOn: ['b'] }), 'steps[1].dependsOn[0] UNKNOWN_DEPENDENCY'],
    [
      'the arguments as a dependency',
      one({ dependsOn: ['$arguments'] }),
      'steps[0].dependsOn[0] UNKNOWN_DEPENDENCY',
    ],
    ['a dependency on itself', two({ name: 'b', dependsOn: ['a', 'b'] }), 'steps[1].dependsOn[1] DAG_CYCLE'],
  ])('%s', (_what, spec, mistake) => {
    expect(mistakes(spec)).toEqual([mistake]);
  });

  test('everything at once', () => {
    expect(
      mistakes({
        tags: [''],
        argumentsJson: '{',
        steps: [
          { type: 'nope', name: 'a', inputJson: '{"x":{"$ref":"b"},"y":"{{c.output}}"}', retries: -1 },
          { type: '', name: 'a', dependsOn: ['zzz'], metadataJson: '[]' },
        ],
      }),
    ).toEqual([
      'arguments INVALID_JSON',
      'steps[1].name DUPLICATE_NAME',
      'steps[0].type UNKNOWN_STEP_TYPE',
      'steps[0].input.x.$ref UNKNOWN_REF',
      'steps[0].input.y UNKNOWN_REF',
      'steps[0].retries OUT_OF_RANGE',
      'steps[1].type REQUIRED',
      'steps[1].dependsOn[0] UNKNOWN_DEPENDENCY',
      'steps[1].metadata INVALID_VALUE',
      'tags[0] REQUIRED',
    ]);
  });

  test('more mistakes than anybody reads, up to a thousand', () => {
    const result = compileWorkflow({ steps: Array.from({ length: 5_000 }, () => ({})) }, ENV);
    expect(result.ok ? [] : result.problems).toHaveLength(1_000);
    expect(result.ok ? undefined : result.problems.at(-1)?.reason).toBe('TOO_MANY');
  });

  test.each([null, undefined, 5, 'x', [], () => 0])('%j instead of a workflow', (spec) => {
    expect(compileWorkflow(spec as never, ENV).ok).toBe(false);
  });

  test('an object that throws when it is read', () => {
    const throwing = {
      get steps(): never {
        throw new Error('no');
      },
    };
    expect(mistakes(throwing)).toEqual(['workflow INVALID_VALUE']);
  });
});

describe('lets pass', () => {
  test('an unknown type where that is allowed', () => {
    expect(mistakes({ steps: [{ type: 'nope' }], allowUnknownTypes: true })).toEqual([]);
  });

  test.each([64, 1])('%s lists inside one another', (depth) => {
    expect(mistakes({ steps: [{ ...ONE, inputJson: '['.repeat(depth) + ']'.repeat(depth) }] })).toEqual([]);
  });

  test('brackets in strings, however many', () => {
    const text = JSON.stringify(`\\"${'['.repeat(1000)}\\`);
    expect(mistakes({ steps: [{ ...ONE, inputJson: `{"a":${text},"b":${text}}` }] })).toEqual([]);
  });

  test('an input of a megabyte sharp', () => {
    expect(mistakes({ steps: [{ ...ONE, inputJson: `"${'x'.repeat(1_048_574)}"` }] })).toEqual([]);
  });

  test('eight megabytes in all', () => {
    const inputJson = `"${'x'.repeat(1_048_574)}"`;
    expect(mistakes({ steps: Array.from({ length: 8 }, () => ({ ...ONE, inputJson })) })).toEqual([]);
  });
});

describe('says', () => {
  test.each<[string, WorkflowSpecInput, string]>([
    [
      'the type that was meant',
      { steps: [{ type: 'image.upscal' }] },
      'no agent ever offered "image.upscal"; did you mean "image.upscale"?',
    ],
    [
      'what to do about a new type',
      { steps: [{ type: 'video' }] },
      'no agent ever offered "video"; allowUnknownTypes queues it nevertheless',
    ],
    [
      'the step that was meant',
      steps({ name: 'hero' }, { input: { $ref: 'heor' } }),
      'no step is called "heor"; did you mean "hero"?',
    ],
    [
      'the dependency that was meant',
      steps({ name: 'hero' }, { dependsOn: ['Hero'] }),
      'no step is called "Hero"; did you mean "hero"?',
    ],
    ['which step has the name', steps({ name: 'a' }, { name: 'a' }), '"a" is the name of steps[0] already'],
    [
      'whose loop variable it is',
      steps({ items: 2, as: 'frame' }, { input: { $ref: 'frame' } }),
      '"frame" is the loop variable of steps[0] and holds only in that step\'s input',
    ],
  ])('%s', (_what, spec, message) => {
    expect(sentence(spec)).toBe(message);
  });

  test('nothing of the caller at full length', () => {
    expect(sentence({ steps: [{ type: 'x y'.repeat(10_000) }] }).length).toBeLessThan(300);
  });
});

describe('cycles', () => {
  test('are named with their steps, at one of their edges', () => {
    const spec = steps(
      { name: 'free' },
      { name: 'a', input: { x: [{ $ref: 'c' }] } },
      { name: 'b', dependsOn: ['free', 'a'] },
      { name: 'c', input: '{{b.output.t}}' },
      { name: 'behind', dependsOn: ['c'] },
    );
    expect(mistakes(spec)).toEqual(['steps[1].input.x[0].$ref DAG_CYCLE']);
    expect(sentence(spec)).toBe('these steps wait for one another: "a" needs "c" needs "b" needs "a"');
  });

  test('are reported once each', () => {
    expect(
      mistakes(
        steps(
          { name: 'a', dependsOn: ['b'] },
          { name: 'b', dependsOn: ['a'] },
          { name: 'c', items: { $ref: 'd', path: 'output.x' } },
          { name: 'd', dependsOn: ['c', 'a'] },
        ),
      ),
    ).toEqual(['steps[0].dependsOn[0] DAG_CYCLE', 'steps[2].forEach.items.$ref DAG_CYCLE']);
  });

  test('of a step with itself are reported where it refers to itself', () => {
    expect(mistakes(steps({ name: 'a', input: { x: '{{a.output}}', y: { $ref: '$0' } } }))).toEqual([
      'steps[0].input.x DAG_CYCLE',
      'steps[0].input.y.$ref DAG_CYCLE',
    ]);
  });

  test('of 10,000 steps have a short sentence', () => {
    const message = sentence({
      steps: Array.from({ length: 10_000 }, (_, index) => ({
        ...ONE,
        dependsOn: [String((index + 1) % 10_000)],
      })),
    });
    expect(message).toContain('9990 more');
    expect(message.length).toBeLessThan(300);
  });
});
