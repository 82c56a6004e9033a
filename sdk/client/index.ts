/** `dibs/sdk/client`: submit workflows, follow them, take their results. */
export { createClient } from './client.ts';
export type { DibsClient } from './client.ts';
export { DEFAULT_ADDRESS } from './client-options.ts';
export type { ClientOptions, TlsOptions } from './client-options.ts';
export { args, isRef, ref } from './refs.ts';
export type { Ref } from './refs.ts';
export type {
  FailModeName,
  ForEachInput,
  HardwareNeedInput,
  LabelConditions,
  PriorityName,
  RequirementInput,
  StepInput,
  WorkflowInput,
} from './workflow-input.ts';
export { durationMs, sizeBytes } from './quantities.ts';
export type { Duration, Size } from './quantities.ts';
export { readWorkflowSpec, toWorkflowSpec } from './workflow-spec.ts';
export type { WireSpec } from './workflow-spec.ts';
export type * from './views.ts';
export { readResult } from './read-views.ts';
export { isTerminalEvent, isTerminalStatus } from './events.ts';
export { EVENT_TYPES } from '../common/events.ts';
export type { EventType } from '../common/events.ts';
export type { LogEvent, ResyncEvent, WatchEvent } from './events.ts';
export { ArtifactCorruptError, Code, DibsError, WaitTimeoutError, WorkflowFailedError } from './errors.ts';
export type { Problem } from './errors.ts';
export type { CallOptions } from './call.ts';
export type {
  CancelOptions,
  GetOptions,
  ListOptions,
  SubmitOptions,
  Submitted,
  WaitOptions,
} from './workflow-calls.ts';
export type { AgentActionName, NoteOptions, RequeueOptions } from './operator-calls.ts';
export type { OutputOptions } from './output.ts';
export type { WatchOptions } from './watch.ts';
export type { QueuesChanged, WatchStandingOptions } from './watch-standing.ts';
export type { SubmitManyItem, SubmitManyOptions, SubmitOutcome } from './submit-many.ts';
export type { StreamSubmitOptions, SubmitStream } from './submit-stream.ts';
export type { SubmitAck, TerminalResult } from './submit-link.ts';
export type { ArtifactReference, ArtifactSource, PutOptions } from './artifact-upload.ts';
export type { ArtifactName, GetArtifactOptions } from './artifact-download.ts';
export { WorkflowProgress } from './workflow-progress.ts';
export type { StepProgress } from './workflow-progress.ts';
export type { Json } from '../common/json.ts';
export type { StateName } from '../common/states.ts';
