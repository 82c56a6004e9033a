/** What one decision may do at most, and that what is left is done by the next ones. */
import { describe, expect, test } from 'vitest';
import { BYTES_PER_DECISION, JOBS_PER_DECISION } from '../../../coordinator/workflow/draft.ts';
import { begin, decide } from '../../../coordinator/workflow/engine.ts';
import { compileWorkflow } from '../../../coordinator/workflow/spec.ts';
import type { WorkflowSpecInput } from '../../../coordinator/workflow/spec-input.ts';
import { freshView } from '../../../coordinator/workflow/view.ts';
import type { StepView } from '../../../coordinator/workflow/view.ts';
import { State } from '../../../sdk/common/states.ts';
import { EngineWorld, step } from '../../support/engine-world.ts';

const CONTINUE = 2;

function first(spec: WorkflowSpecInput) {
  const compiled = compileWorkflow(spec, { knownTypes: new Set(['test']) });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  const needs = compiled.plan.steps.map((one) => one.needs.length);
  const env = { output: () => undefined, cost: () => 1, retryDelayMs: () => 1 };
  const decision = begin(compiled.plan, freshView(needs, 'tenant'), env);
  if (decision.kind !== 'decided') throw new Error('needs nothing loaded');
  return decision;
}

const fans = (count: number, items: number) =>
  Array.from({ length: count }, (_, i) => step(`s${i}`, [], { forEach: { itemsJson: String(items) } }));

describe('one decision', () => {
  test('200 fan-outs of 100,000 begin with as many jobs as one decision may make', () => {
    const { change, more } = first({ steps: fans(200, 100_000) });
    expect(change[2]).toHaveLength(JOBS_PER_DECISION);
    expect(change[5].length).toBeLessThan(10);
    expect(more).toBe(true);
  });

  test('10,000 steps without dependencies leave one entry to go on from', () => {
    const { change, more } = first({ steps: Array.from({ length: 10_000 }, (_, i) => step(`s${i}`)) });
    expect(change[2]).toHaveLength(JOBS_PER_DECISION);
    expect(change[5]).toEqual([-2 - JOBS_PER_DECISION]);
    expect(more).toBe(true);
  });

  test('nothing is left of a small workflow', () => {
    expect(first({ steps: fans(4, 100) })).toMatchObject({ more: false, seen: [] });
  });

  test('its inputs take a few megabytes, whatever they refer to', () => {
    const inputJson = '{"a":{"$ref":"big"},"b":{"$ref":"big"},"i":{"$ref":"item"}}';
    const spec = { steps: [step('big'), step('s', [], { inputJson, forEach: { itemsJson: '256' } })] };
    const compiled = compileWorkflow(spec, { knownTypes: new Set(['test']) });
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    const view = freshView([0, 1], 'tenant');
    Object.assign(view.steps[0] as StepView, { total: 1, emitted: 1, nextJob: 1, ok: 1 });
    view.dirty = [0];
    const output = JSON.stringify({ x: 'x'.repeat(900_000) });
    const env = { output: () => output, cost: () => 1, retryDelayMs: () => 1 };
    const decision = decide(compiled.plan, view, env);
    if (decision.kind !== 'decided') throw new Error('needs nothing loaded');
    const bytes = decision.change[2].reduce((sum, job) => sum + job[5].length, 0);
    expect(decision.change[2]).toHaveLength(2);
    expect(bytes).toBeLessThanOrEqual(BYTES_PER_DECISION);
    expect(decision.more).toBe(true);
  });

  test('inputs that the plan tells are not stored, but making them is work as well', () => {
    const argumentsJson = JSON.stringify({ big: 'x'.repeat(900_000) });
    const inputJson = '{"a":{"$ref":"$arguments"},"i":{"$ref":"item"}}';
    const { change, more } = first({
      argumentsJson,
      steps: [step('s', [], { inputJson, forEach: { itemsJson: '256' } })],
    });
    expect(change[2].map((job) => job[5])).toEqual(['', '', '', '']);
    expect(more).toBe(true);
  });
});

describe('the decisions after it', () => {
  test('make every job once, in every step', () => {
    const run = new EngineWorld({ allowUnknownTypes: true, steps: fans(7, 300) });
    expect(run.open).toHaveLength(2100);
    expect(new Set(run.open.map((job) => `${job.step} ${job.slot}`)).size).toBe(2100);
    expect(run.log.filter((line) => line.startsWith('step.ready'))).toHaveLength(7);
  });

  test('begin every dependent of a step that had many, and end each one', () => {
    const wide = Array.from({ length: 1500 }, (_, i) => step(`s${i}`, ['a']));
    const run = new EngineWorld({ allowUnknownTypes: true, steps: [step('a'), ...wide] });
    run.succeed(run.job('a'));
    expect(run.open).toHaveLength(1500);
    run.cancel();
    expect(run.open).toEqual([]);
    expect(run.view).toMatchObject({ state: State.canceled, openSteps: 0 });
  });

  test('one input larger than all of them together still goes', () => {
    const big = 'x'.repeat(1_000_000);
    const inputJson = '{"a":{"$ref":"l"},"b":{"$ref":"l"},"c":{"$ref":"l"},"i":{"$ref":"item"}}';
    const run = new EngineWorld({
      allowUnknownTypes: true,
      steps: [step('l'), step('s', [], { inputJson, forEach: { itemsJson: '5' } }), step('t', ['l'])],
    });
    run.succeed(run.job('l'), big);
    expect(run.open).toHaveLength(6);
    expect(run.decisions).toBeGreaterThan(4);
  });

  test('retry more failures than one decision may', () => {
    const run = new EngineWorld({
      allowUnknownTypes: true,
      steps: [step('s', [], { retries: 1, forEach: { itemsJson: '1200' } })],
    });
    const failing = run.open;
    run.together(() => failing.forEach((job) => run.fail(job, { retryable: true })));
    expect(run.open).toHaveLength(1200);
    expect(run.open.every((job) => job.attempt === 2)).toBe(true);
  });
});

describe('a step that ends', () => {
  test('keeps no retry that the same decision made', () => {
    const run = new EngineWorld({
      allowUnknownTypes: true,
      failMode: CONTINUE,
      steps: [step('f', [], { retries: 1, forEach: { itemsJson: '2' } }), step('s')],
    });
    run.together(() => {
      const [one, two] = [run.job('f', 0), run.job('f', 1)];
      run.fail(one, { retryable: true });
      run.fail(two);
    });
    expect(run.step('f')).toMatchObject({ state: State.failed, open: 0 });
    expect(run.open).toEqual([run.job('s')]);
  });

  test('keeps no job that the same decision began with', () => {
    const run = new EngineWorld({
      allowUnknownTypes: true,
      steps: [
        step('a'),
        step('d', ['a']),
        step('c', ['a'], { inputJson: '{"v":{"$ref":"a","path":"output.missing"}}' }),
      ],
    });
    run.succeed(run.job('a'));
    expect(run.step('d')).toMatchObject({ state: State.skipped, reason: 'FAIL_FAST' });
    expect(run.view).toMatchObject({ state: State.failed, failedStep: 2 });
    expect(run.jobs).toHaveLength(1);
    expect(run.log.at(-1)).toBe('workflow.failed c');
  });
});

test('a workflow that cannot be decided ends as INTERNAL, whatever it was about to do', () => {
  const run = new EngineWorld({ allowUnknownTypes: true, steps: [...fans(3, 400), step('z', ['s0'])] });
  run.abandon();
  expect(run.open).toEqual([]);
  expect(run.view).toMatchObject({ state: State.failed, reason: 'INTERNAL', openSteps: 0 });
  expect(run.step('z')).toMatchObject({ state: State.canceled, reason: 'INTERNAL' });
});
