import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WorkflowSpec__Output } from '../../../proto/gen/index.ts';
import { codec } from '../../../proto/gen/load.ts';
import { args, DibsError, ref, toWorkflowSpec } from '../../../sdk/client/index.ts';
import type { Problem, WorkflowInput } from '../../../sdk/client/index.ts';

const SPEC = codec<WorkflowSpec__Output>('dibs.v1.WorkflowSpec');

function problemsOf(workflow: unknown): readonly Problem[] {
  try {
    toWorkflowSpec(workflow as WorkflowInput);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(DibsError);
    return (error as DibsError).problems;
  }
}

describe('workflow spec', () => {
  it('turns every field into the wire', () => {
    const spec = toWorkflowSpec({
      name: 'upscale',
      arguments: { factor: 2 },
      tags: ['nightly'],
      metadata: { who: 'me' },
      state: [1],
      failMode: 'best_effort',
      timeout: '1h',
      retention: '1d',
      allowUnknownTypes: true,
      steps: [
        {
          type: 'image.upscale',
          name: 'tiles',
          input: { image: ref('item'), factor: args('factor', 4) },
          forEach: { items: ref('split', 'output.parts'), as: 'tile' },
          dependsOn: ['check'],
          priority: 'high',
          timeout: 1_500,
          queueTimeout: '00:10:00',
          retries: 2,
          cost: 4.5,
          requirement: {
            labels: {
              zone: 'a',
              tier: { in: ['gold', 'silver'], exists: true },
              cuda: { '>=': 12.1, '<': '13' },
              spot: { exists: false },
              rack: { notIn: ['r7'] },
            },
            models: ['sdxl'],
            alternatives: [
              { gpus: 1, vram: '24GiB', gpuModels: ['H100'], disk: '1KiB' },
              { cpuCores: 32, memory: 1024, cost: 9 },
            ],
          },
          metadata: { note: 1 },
        },
      ],
    });
    expect(spec).toEqual({
      name: 'upscale',
      argumentsJson: '{"factor":2}',
      tags: ['nightly'],
      metadataJson: '{"who":"me"}',
      stateJson: '[1]',
      failMode: 3,
      timeoutMs: 3_600_000,
      retentionMs: 86_400_000,
      allowUnknownTypes: true,
      steps: [
        {
          type: 'image.upscale',
          name: 'tiles',
          inputJson: '{"image":{"$ref":"item"},"factor":{"$ref":"$arguments","path":"factor","default":4}}',
          forEach: { itemsJson: '{"$ref":"split","path":"output.parts"}', as: 'tile' },
          dependsOn: ['check'],
          priority: 3,
          timeoutMs: 1_500,
          queueTimeoutMs: 600_000,
          retries: 2,
          cost: 4.5,
          requirement: {
            labels: { zone: 'a' },
            labelNeeds: [
              { name: 'tier', operator: 1, values: ['gold', 'silver'] },
              { name: 'tier', operator: 3, values: [] },
              { name: 'cuda', operator: 8, values: ['12.1'] },
              { name: 'cuda', operator: 5, values: ['13'] },
              { name: 'spot', operator: 4, values: [] },
              { name: 'rack', operator: 2, values: ['r7'] },
            ],
            models: ['sdxl'],
            alternatives: [
              { gpus: 1, vramBytes: 25_769_803_776, gpuModels: ['H100'], diskBytes: 1024 },
              { cpuCores: 32, memoryBytes: 1024, cost: 9 },
            ],
          },
          metadataJson: '{"note":1}',
        },
      ],
    });
  });

  it('leaves out what is absent, null or undefined, and keeps a null input', () => {
    const workflow = { name: undefined, tags: null, steps: [{ type: 'a', input: null, timeout: undefined }] };
    expect(toWorkflowSpec(workflow as never)).toEqual({ steps: [{ type: 'a', inputJson: 'null' }] });
  });

  it('takes a list, a count and a reference for items', () => {
    const items = (value: unknown) =>
      toWorkflowSpec({ steps: [{ type: 'a', forEach: { items: value as number } }] }).steps?.[0]?.forEach
        ?.itemsJson;
    expect([items([1, 'b']), items(3), items(ref('a'))]).toEqual(['[1,"b"]', '3', '{"$ref":"a"}']);
  });

  it('lists every mistake with its path', () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const workflow = {
      nmae: 'x',
      failMode: 'sometimes',
      arguments: [],
      steps: [
        { input: circular, depends_on: [] },
        {
          type: 'a',
          forEach: { items: 'many' },
          requirement: { alternatives: [{ vram: 'lots' }], labels: { a: 1 } },
        },
        'nothing',
        { type: 'b', forEach: {} },
      ],
    };
    expect(problemsOf(workflow).map(({ path }) => path)).toEqual([
      'nmae',
      'failMode',
      'arguments',
      'steps[0].input',
      'steps[0].depends_on',
      'steps[0].type',
      'steps[1].forEach.items',
      'steps[1].requirement.alternatives[0].vram',
      'steps[1].requirement.labels.a',
      'steps[2]',
      'steps[3].forEach.items',
    ]);
    const messages = problemsOf(workflow).map(({ message }) => message);
    expect(messages[4]).toBe('is not known; did you mean dependsOn?');
    expect(messages[1]).toBe('must be fail_fast, continue, best_effort, not "sometimes"');
  });

  it.each([null, 7, 'text', [], undefined])('refuses %j for a workflow', (value) => {
    expect(problemsOf(value)).toMatchObject([{ path: 'workflow' }]);
  });

  it('asks for steps', () => {
    expect(problemsOf({})).toMatchObject([{ path: 'steps', reason: 'REQUIRED' }]);
  });

  it('takes a bare number for milliseconds', () => {
    expect(toWorkflowSpec({ timeout: 90, steps: [] }).timeoutMs).toBe(90);
  });

  it('carries any JSON input over the wire unchanged', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (input) => {
        const wire = SPEC.decode(SPEC.encode(toWorkflowSpec({ steps: [{ type: 'a', input }] })));
        expect(JSON.parse(wire.steps[0]?.inputJson ?? '')).toEqual(JSON.parse(JSON.stringify(input)));
      }),
    );
  });
});
