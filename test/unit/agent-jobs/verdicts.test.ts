import { describe, expect, it } from 'vitest';
import {
  failedByExit,
  failedByThrow,
  stopFor,
  stopForTimeout,
  stoppedResult,
} from '../../../agent/jobs/verdicts.ts';
import { FatalError, InvalidInputError, ResourceError, RetryableError } from '../../../sdk/executor/index.ts';

const exit = { code: null, signal: null, stderr: '', oomKilled: false };

describe('thrown values', () => {
  it.each<[unknown, string, string]>([
    [new Error('x'), 'retryable', 'EXECUTOR_ERROR'],
    ['text', 'retryable', 'EXECUTOR_ERROR'],
    [undefined, 'retryable', 'EXECUTOR_ERROR'],
    [new RetryableError('x'), 'retryable', 'EXECUTOR_ERROR'],
    [new InvalidInputError('x'), 'fatal', 'INVALID_INPUT'],
    [new ResourceError('x'), 'retryable', 'RESOURCE_ERROR'],
    [new FatalError('x'), 'fatal', 'EXECUTOR_ERROR'],
    [new FatalError('x', { reason: 'MY_CODE' }), 'fatal', 'MY_CODE'],
    [new FatalError('x', { reason: 'not a code' }), 'fatal', 'EXECUTOR_ERROR'],
    [Object.assign(new Error('x'), { code: 'ERR_WORKER_OUT_OF_MEMORY' }), 'retryable', 'OUT_OF_MEMORY'],
    [new Error('vips_malloc: out of memory --- size == 48MB'), 'retryable', 'OUT_OF_MEMORY'],
    [new RangeError('Array buffer allocation failed'), 'retryable', 'OUT_OF_MEMORY'],
    [new Error('CUDA error: out of memory'), 'retryable', 'OUT_OF_MEMORY'],
    [new Error('torch.cuda.OutOfMemoryError: tried to allocate 2 GiB'), 'retryable', 'OUT_OF_MEMORY'],
    [new Error('CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate'), 'retryable', 'OUT_OF_MEMORY'],
    [new Error('hipErrorOutOfMemory'), 'retryable', 'OUT_OF_MEMORY'],
    [new Error('MemoryError'), 'retryable', 'OUT_OF_MEMORY'],
    [new Error('the MemoryErrorless one'), 'retryable', 'EXECUTOR_ERROR'],
  ])('%s', (thrown, verdict, reason) => expect(failedByThrow(thrown)).toMatchObject({ verdict, reason }));

  it('of another copy of the package are recognised', () => {
    const foreign = {
      [Symbol.for('dibs.failure')]: { verdict: 'fatal', reason: 'THEIRS', blockedReason: 'b' },
    };
    expect(failedByThrow(Object.assign(new Error('m'), foreign))).toMatchObject({
      verdict: 'fatal',
      reason: 'THEIRS',
      blockedReason: 'b',
    });
  });

  it('with long messages are cut', () => {
    expect(failedByThrow(new Error('x'.repeat(5000))).message).toHaveLength(2000);
  });
});

describe('ended processes', () => {
  it.each([
    [{ ...exit, code: 1 }, 'EXECUTOR_CRASHED'],
    [{ ...exit, code: 137 }, 'OUT_OF_MEMORY'],
    [{ ...exit, signal: 'SIGSEGV' }, 'EXECUTOR_CRASHED'],
    [{ ...exit, signal: 'SIGKILL' }, 'EXECUTOR_CRASHED'],
    [{ ...exit, signal: 'SIGKILL', oomKilled: true }, 'OUT_OF_MEMORY'],
    [{ ...exit, signal: 'SIGABRT', stderr: 'FATAL ERROR: … JavaScript heap out of memory' }, 'OUT_OF_MEMORY'],
  ])('%j', (report, reason) => expect(failedByExit(report)).toMatchObject({ verdict: 'retryable', reason }));
});

it('a stop decides the verdict', () => {
  expect(stoppedResult(stopFor('shutdown'), 5)).toMatchObject({
    verdict: 'canceled',
    reason: 'SHUTDOWN',
    runMs: 5,
  });
  expect(stoppedResult(stopForTimeout(10), 11)).toMatchObject({
    verdict: 'timed_out',
    reason: 'DEADLINE_EXCEEDED_RUNNING',
  });
});
