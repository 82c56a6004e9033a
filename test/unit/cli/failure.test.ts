import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { explain, NotFoundError, QuietError, TimeUpError, UsageError } from '../../../cli/failure.ts';
import { InterruptedError } from '../../../cli/io.ts';
import { ConfigError } from '../../../runtime/config-error.ts';
import { DibsError, WaitTimeoutError } from '../../../sdk/client/index.ts';
import { fakeIo } from '../../support/fake-io.ts';

describe('exit codes', () => {
  it.each([
    [new Error('anything'), 1],
    [new DibsError('INTERNAL', 'a bug'), 1],
    [new DibsError('INVALID_WORKFLOW', 'mistakes'), 1],
    [new UsageError('what?'), 2],
    [new CommanderError(1, 'commander.unknownOption', 'what?'), 2],
    [new CommanderError(0, 'commander.helpDisplayed', ''), 0],
    [new DibsError('UNAUTHENTICATED', 'who?'), 4],
    [new DibsError('PERMISSION_DENIED', 'no'), 4],
    [new DibsError('WORKFLOW_NOT_FOUND', 'none'), 5],
    [new NotFoundError('none'), 5],
    [new DibsError('IDEMPOTENCY_KEY_REUSED', 'reused'), 6],
    [new DibsError('WRONG_STATE', 'ended'), 6],
    [new DibsError('DRAINING', 'leaving'), 7],
    [new QuietError(8), 8],
    [new QuietError(9), 9],
    [new ConfigError(['listen is wrong']), 78],
    [new WaitTimeoutError('wf_1', 10), 124],
    [new TimeUpError('late'), 124],
    [new InterruptedError(), 130],
  ])('ends %s with %d', (error, code) => {
    expect(explain(error, fakeIo())).toBe(code);
  });

  it('says every problem with its path, one a line', async () => {
    const io = fakeIo();
    explain(
      new DibsError('INVALID_WORKFLOW', 'The workflow has 2 mistakes.', {
        problems: [
          { path: 'steps[0].type', reason: 'REQUIRED', message: 'a step has a type' },
          { path: 'steps[1].input.image.$ref', reason: 'UNKNOWN_REF', message: 'no step is called "hreo"' },
        ],
        metadata: { omitted_problems: '3' },
      }),
      io,
    );
    await new Promise(setImmediate);
    expect(io.out()).toBe('');
    expect(io.err().split('\n')).toEqual([
      'steps[0].type: REQUIRED: a step has a type',
      'steps[1].input.image.$ref: UNKNOWN_REF: no step is called "hreo"',
      '… and 3 more',
      'dibs: The workflow has 2 mistakes. (INVALID_WORKFLOW)',
      '',
    ]);
  });

  it('says nothing more about what was said already', async () => {
    const io = fakeIo();
    explain(new QuietError(8), io);
    explain(new InterruptedError(), io);
    await new Promise(setImmediate);
    expect(io.err()).toBe('');
  });
});
