/**
 * What an executor throws to say how its job failed, and what its `ctx.signal` is aborted with.
 *
 * Invariant: the host recognises a failure by the mark FAILURE, not by its class, because an executor may bring
 * its own copy of this package.
 */

export type AbortReason = 'user' | 'deadline' | 'lease_lost' | 'shutdown' | 'fail_fast';

const FAILURE = Symbol.for('dibs.failure');

export interface Failure {
  readonly verdict: 'retryable' | 'fatal';
  /** UPPER_SNAKE code. */
  readonly reason: string;
  /** Why content was refused, for people; '' = it was not. */
  readonly blockedReason: string;
}

export interface FailureOptions extends ErrorOptions {
  /** UPPER_SNAKE code of your own. */
  readonly reason?: string;
}

abstract class ExecutorFailure extends Error {
  readonly [FAILURE]: Failure;

  constructor(name: string, message: string, failure: Failure, options: ErrorOptions) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = name;
    this[FAILURE] = failure;
  }
}

/** This attempt failed; another may succeed. What any other thrown value counts as, too. */
export class RetryableError extends ExecutorFailure {
  constructor(message: string, options: FailureOptions = {}) {
    super(
      'RetryableError',
      message,
      { verdict: 'retryable', reason: options.reason ?? 'EXECUTOR_ERROR', blockedReason: '' },
      options,
    );
  }
}

/** The input can never work. */
export class InvalidInputError extends ExecutorFailure {
  constructor(message: string, options: ErrorOptions = {}) {
    super(
      'InvalidInputError',
      message,
      { verdict: 'fatal', reason: 'INVALID_INPUT', blockedReason: '' },
      options,
    );
  }
}

/** Something the job needs is not here (a program, a model file, memory); another agent may have it. */
export class ResourceError extends ExecutorFailure {
  constructor(message: string, options: FailureOptions = {}) {
    super(
      'ResourceError',
      message,
      { verdict: 'retryable', reason: options.reason ?? 'RESOURCE_ERROR', blockedReason: '' },
      options,
    );
  }
}

/** No attempt can succeed. `blockedReason` says that content was refused, and why. */
export class FatalError extends ExecutorFailure {
  constructor(message: string, options: FailureOptions & { readonly blockedReason?: string } = {}) {
    super(
      'FatalError',
      message,
      {
        verdict: 'fatal',
        reason: options.reason ?? 'EXECUTOR_ERROR',
        blockedReason: options.blockedReason ?? '',
      },
      options,
    );
  }
}

/** `ctx.signal.reason`. Named AbortError, so that code which waits on a signal treats it as one. */
export class JobAborted extends Error {
  readonly reason: AbortReason;

  constructor(reason: AbortReason) {
    super(`the job was told to stop (${reason})`);
    this.name = 'AbortError';
    this.reason = reason;
  }
}

/** The failure a thrown value carries; undefined for a value that is none of the classes above. */
export function failureOf(thrown: unknown): Failure | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  return (thrown as { [FAILURE]?: Failure })[FAILURE];
}
