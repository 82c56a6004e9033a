import { describe, expect, test } from 'vitest';
import { State } from '../../../sdk/common/states.ts';
import { EngineWorld, step } from '../../support/engine-world.ts';

const FAIL_FAST = 1;
const CONTINUE = 2;
const BEST_EFFORT = 3;

function world(failMode: number, more: object = {}): EngineWorld {
  // a → b → c, a → d, e alone.
  return new EngineWorld({
    allowUnknownTypes: true,
    failMode,
    steps: [step('a'), step('b', ['a']), step('c', ['b']), step('d', ['a']), step('e')],
    ...more,
  });
}

describe('fail_fast', () => {
  test('a failure ends the workflow; dependents, started siblings and the rest each get their own fate', () => {
    const run = world(FAIL_FAST);
    run.succeed(run.job('a'));
    run.claim(run.job('d'));
    run.fail(run.job('b'), { reason: 'NO_PAPER' });
    expect(run.step('b')).toMatchObject({ state: State.failed, reason: 'NO_PAPER' });
    expect(run.step('c')).toMatchObject({ state: State.skipped, reason: 'DEPENDENCY_FAILED' });
    expect(run.step('d')).toMatchObject({ state: State.canceled, reason: 'FAIL_FAST' });
    expect(run.step('e')).toMatchObject({ state: State.skipped, reason: 'FAIL_FAST' });
    expect(run.view).toMatchObject({ state: State.failed, reason: 'STEP_FAILED', failedStep: 1 });
    expect(run.view.message).toContain('"b"');
    expect(run.open).toEqual([]);
    expect(run.log.at(-1)).toBe('workflow.failed b');
  });

  test('a step that runs out of time makes the workflow expired', () => {
    const run = world(FAIL_FAST);
    run.fail(run.job('a'), { expired: true });
    expect(run.step('a').state).toBe(State.expired);
    expect(run.view).toMatchObject({ state: State.expired, reason: 'STEP_EXPIRED', failedStep: 0 });
  });

  test('skips come before the one terminal event', () => {
    const run = world(FAIL_FAST);
    run.fail(run.job('a'));
    const end = run.log.indexOf('workflow.failed a');
    expect(run.log.filter((line) => line.startsWith('step.skipped'))).toHaveLength(4);
    expect(end).toBe(run.log.length - 1);
  });
});

describe('continue', () => {
  test('independent branches finish and the workflow ends failed', () => {
    const run = world(CONTINUE);
    run.succeed(run.job('a'));
    run.fail(run.job('b'));
    expect(run.view.state).not.toBe(State.failed);
    expect(run.step('c')).toMatchObject({ state: State.skipped, reason: 'DEPENDENCY_FAILED' });
    run.succeed(run.job('d'));
    run.succeed(run.job('e'));
    expect(run.view).toMatchObject({ state: State.failed, reason: 'STEP_FAILED', failedStep: 1 });
  });

  test('of several failures the first decides', () => {
    const run = world(CONTINUE);
    run.fail(run.job('e'), { expired: true });
    run.fail(run.job('a'));
    expect(run.view).toMatchObject({ state: State.failed, reason: 'STEP_EXPIRED', failedStep: 4 });
  });
});

describe('best_effort', () => {
  test('ends succeeded when something succeeded', () => {
    const run = world(BEST_EFFORT);
    run.fail(run.job('a'));
    run.succeed(run.job('e'));
    expect(run.view).toMatchObject({ state: State.succeeded, failedStep: 0 });
  });

  test('ends failed when nothing did', () => {
    const run = world(BEST_EFFORT);
    run.fail(run.job('a'));
    run.fail(run.job('e'));
    expect(run.view.state).toBe(State.failed);
  });
});

describe('retries', () => {
  test('a retryable failure makes a replacement; the step succeeds with it', () => {
    const run = world(FAIL_FAST, { steps: [step('a', [], { retries: 1 })] });
    run.fail(run.job('a'), { retryable: true });
    expect(run.view.state).not.toBe(State.failed);
    const second = run.job('a');
    expect(second).toMatchObject({ attempt: 2, ordinal: 1 });
    run.succeed(second);
    expect(run.view.state).toBe(State.succeeded);
    expect(run.step('a').bad).toBe(0);
  });

  test.each([
    ['fatal failures are not retried', false, 1],
    ['no retry is left', true, 0],
  ])('%s', (_name, retryable, retries) => {
    const run = world(FAIL_FAST, { steps: [step('a', [], { retries })] });
    run.fail(run.job('a'), { retryable });
    expect(run.view.state).toBe(State.failed);
  });
});

describe('cancel and timeout', () => {
  test('a cancel ends everything that has not ended; finished steps stay', () => {
    const run = world(FAIL_FAST);
    run.succeed(run.job('a'));
    run.cancel('enough');
    expect(run.step('a').state).toBe(State.succeeded);
    for (const name of ['b', 'c', 'd', 'e']) {
      expect(run.step(name)).toMatchObject({ state: State.canceled, reason: 'CANCELED_BY_USER' });
    }
    expect(run.view).toMatchObject({ state: State.canceled, reason: 'CANCELED_BY_USER', message: 'enough' });
  });

  test('the workflow timeout makes it expired', () => {
    const run = world(CONTINUE);
    run.expire();
    expect(run.view).toMatchObject({ state: State.expired, reason: 'WORKFLOW_TIMEOUT' });
  });

  test('a wide fan-out is cleared away in chunks, and the workflow ends last', () => {
    const run = new EngineWorld({
      allowUnknownTypes: true,
      steps: [step('wide', [], { forEach: { itemsJson: '1000' } })],
    });
    expect(run.open).toHaveLength(1000);
    const before = run.decisions;
    run.cancel();
    expect(run.decisions - before).toBe(4);
    expect(run.open).toEqual([]);
    expect(run.view.state).toBe(State.canceled);
  });
});

describe('fan-out', () => {
  test('all must succeed: one failure ends the step and its other jobs', () => {
    const run = new EngineWorld({
      allowUnknownTypes: true,
      steps: [step('wide', [], { forEach: { itemsJson: '[1,2,3]' } }), step('after', ['wide'])],
    });
    run.claim(run.job('wide', 1));
    run.fail(run.job('wide', 0));
    expect(run.jobs.map((job) => job.state)).toEqual([State.failed, State.canceled, State.skipped]);
    expect(run.step('wide').state).toBe(State.failed);
    expect(run.step('after')).toMatchObject({ state: State.skipped, reason: 'DEPENDENCY_FAILED' });
  });

  test('outputs stand in the order of the items, whatever order they came in', () => {
    const run = new EngineWorld({
      allowUnknownTypes: true,
      steps: [
        step('list'),
        step('wide', [], {
          forEach: { itemsJson: '{"$ref":"list","path":"output.items"}' },
          inputJson: '{"x":{"$ref":"item"}}',
        }),
        step('merge', [], { inputJson: '{"all":{"$ref":"wide","path":"output.items"}}' }),
      ],
    });
    run.succeed(run.job('list'), { items: ['p', 'q', 'r'] });
    for (const slot of [2, 0, 1]) {
      const job = run.job('wide', slot);
      run.succeed(job, JSON.parse(job.input));
    }
    expect(run.job('merge').input).toBe('{"all":[{"x":"p"},{"x":"q"},{"x":"r"}]}');
  });

  test('no items: the step succeeds at once with an empty list', () => {
    const run = new EngineWorld({
      allowUnknownTypes: true,
      steps: [
        step('none', [], { forEach: { itemsJson: '[]' } }),
        step('after', [], { inputJson: '{"n":{"$ref":"none","path":"output.items"}}' }),
      ],
    });
    expect(run.step('none').state).toBe(State.succeeded);
    expect(run.job('after').input).toBe('{"n":[]}');
  });

  test('a reference that finds nothing fails the step with its path', () => {
    const run = new EngineWorld({
      allowUnknownTypes: true,
      steps: [step('a'), step('b', [], { inputJson: '{"v":{"$ref":"a","path":"output.missing"}}' })],
    });
    run.succeed(run.job('a'), { other: 1 });
    expect(run.step('b')).toMatchObject({ state: State.failed, reason: 'INPUT_UNRESOLVED' });
    expect(run.step('b').message).toContain('steps[1].input.v');
  });
});
