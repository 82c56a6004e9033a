/** `dibs/sdk/executor`: everything a model integrator imports. */
export { defineExecutor, isExecutor, findExecutors } from './define.ts';
export type { Executor, ExecutorDefinition, RunResult, Yielded } from './define.ts';
export type {
  ArtifactRef,
  ExecutorArtifacts,
  ExecutorContext,
  ExecutorLog,
  LifecycleContext,
} from './context.ts';
export { FatalError, InvalidInputError, JobAborted, ResourceError, RetryableError } from './failures.ts';
export type { AbortReason, FailureOptions } from './failures.ts';
export type { Schema } from './schema.ts';
export type { JsonSchema } from './json-schema.ts';
export type { StandardSchema } from './standard-schema.ts';
export type { Model } from './models.ts';
