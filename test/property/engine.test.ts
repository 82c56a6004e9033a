import fc from 'fast-check';
import { expect, test } from 'vitest';
import { State, isTerminal } from '../../sdk/common/states.ts';
import { EngineWorld, step } from '../support/engine-world.ts';

const shape = fc.record({
  failMode: fc.integer({ min: 1, max: 3 }),
  steps: fc.array(
    fc.record({
      needs: fc.array(fc.nat(), { maxLength: 3 }),
      jobs: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
      retries: fc.integer({ min: 0, max: 2 }),
      /** Its input refers to what no output has. */
      unresolved: fc.boolean(),
    }),
    { minLength: 1, maxLength: 8 },
  ),
  /** What happens: which open job, and how it ends. */
  acts: fc.array(
    fc.record({
      which: fc.nat(),
      how: fc.constantFrom('ok', 'ok', 'ok', 'fail', 'retry', 'expire', 'claim'),
      /** One decision sees this and the next one. */
      joined: fc.boolean(),
    }),
    {
      maxLength: 60,
    },
  ),
  cancelAt: fc.option(fc.nat({ max: 60 }), { nil: undefined }),
});

test('whatever happens to the jobs, every workflow ends once, and no step begins before what it needs', () => {
  fc.assert(
    fc.property(shape, ({ failMode, steps, acts, cancelAt }) => {
      const run = new EngineWorld({
        allowUnknownTypes: true,
        failMode,
        steps: steps.map(({ needs, jobs, retries, unresolved }, index) =>
          step(`s${index}`, index === 0 ? [] : [...new Set(needs.map((need) => `s${need % index}`))], {
            retries,
            ...(unresolved && index > 0 && index % 3 === 0
              ? { inputJson: `{"v":{"$ref":"s${index - 1}","path":"output.missing"}}` }
              : {}),
            ...(jobs === undefined ? {} : { forEach: { itemsJson: String(jobs) } }),
          }),
        ),
      });
      const act = (which: number, how: string): void => {
        const { open } = run;
        const job = open[which % open.length];
        if (job === undefined) return;
        if (how === 'ok') run.succeed(job);
        else if (how === 'claim') run.claim(job);
        else run.fail(job, { retryable: how === 'retry', expired: how === 'expire' });
      };
      acts.forEach(({ which, how, joined }, index) => {
        if (index === cancelAt && !isTerminal(run.view.state)) run.cancel();
        const next = acts[index + 1];
        if (joined && next !== undefined) {
          run.together(() => {
            act(which, how);
            act(next.which, next.how);
          });
        } else act(which, how);
        checkOrder(run);
      });
      for (let guard = 0; run.open.length > 0; guard++) {
        expect(guard).toBeLessThan(1000);
        act(0, 'ok');
        checkOrder(run);
      }
      expect(isTerminal(run.view.state)).toBe(true);
      expect(run.view.openSteps).toBe(0);
      expect(
        run.log.filter((line) => /^workflow\.(succeeded|failed|expired|canceled)/.test(line)),
      ).toHaveLength(1);
      const failed = run.view.steps.some(
        (one) => one?.state === State.failed || one?.state === State.expired,
      );
      if (run.view.state === State.succeeded && failMode !== 3) expect(failed).toBe(false);
      if (run.view.state === State.failed && failMode === 1) expect(failed).toBe(true);
    }),
    { numRuns: 400 },
  );
});

function checkOrder(run: EngineWorld): void {
  for (const planned of run.plan.steps) {
    const begun = run.jobs.some((job) => job.step === planned.index);
    if (!begun) continue;
    for (const need of planned.needs) {
      const before = run.view.steps[need];
      expect(before?.state).toBe(State.succeeded);
    }
  }
}
