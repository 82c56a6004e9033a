/**
 * The client: one object with everything a consumer or an operator asks a coordinator.
 *
 * It only puts the parts together; each method's rules stand in the file it calls.
 */
import type { Readable } from 'node:stream';
import type { Json } from '../common/json.ts';
import { downloadArtifact, getArtifact } from './artifact-download.ts';
import type { ArtifactName, GetArtifactOptions } from './artifact-download.ts';
import { putArtifact } from './artifact-upload.ts';
import type { ArtifactReference, ArtifactSource, PutOptions } from './artifact-upload.ts';
import type { CallOptions } from './call.ts';
import { resolveOptions } from './client-options.ts';
import type { ClientOptions } from './client-options.ts';
import { Connection } from './connection.ts';
import type { WatchEvent } from './events.ts';
import { explainAgent, explainJob } from './explain-calls.ts';
import {
  controlAgent,
  getAgent,
  getQueue,
  listAgents,
  listQueues,
  pauseQueue,
  requeueJob,
  resumeQueue,
} from './operator-calls.ts';
import type { AgentActionName, NoteOptions, RequeueOptions } from './operator-calls.ts';
import { submitAndGetOutput, submitAndGetOutputs } from './output.ts';
import type { OutputOptions } from './output.ts';
import { submitMany } from './submit-many.ts';
import type { SubmitManyItem, SubmitManyOptions, SubmitOutcome } from './submit-many.ts';
import { openSubmitStream } from './submit-stream.ts';
import type { SubmitStream } from './submit-stream.ts';
import type {
  AgentExplanation,
  AgentView,
  JobExplanation,
  PauseView,
  QueueView,
  StandingView,
  WorkflowView,
} from './views.ts';
import type { StateName } from '../common/states.ts';
import { watchWorkflow } from './watch.ts';
import type { WatchOptions } from './watch.ts';
import { watchPosition, watchQueues } from './watch-standing.ts';
import type { QueuesChanged, WatchStandingOptions } from './watch-standing.ts';
import {
  cancelWorkflow,
  getWorkflow,
  listWorkflows,
  submitWorkflow,
  waitForWorkflow,
} from './workflow-calls.ts';
import type {
  CancelOptions,
  GetOptions,
  ListOptions,
  SubmitOptions,
  Submitted,
  WaitOptions,
} from './workflow-calls.ts';
import type { WorkflowInput } from './workflow-input.ts';

export interface DibsClient extends Disposable {
  /** Stores a workflow; safe to repeat with the same `requestId`. */
  submit(workflow: WorkflowInput, options?: SubmitOptions): Promise<Submitted>;
  /** Many workflows over one stream; gives out what became of each. */
  submitMany(
    workflows: Iterable<SubmitManyItem> | AsyncIterable<SubmitManyItem>,
    options?: SubmitManyOptions,
  ): AsyncGenerator<SubmitOutcome, void, undefined>;
  /** The lower level of `submitMany`: promises, no limits. */
  openSubmitStream(): SubmitStream;
  /** Submits, waits, and gives the output of the last step (or of `step`). */
  submitAndGetOutput(workflow: WorkflowInput, options?: OutputOptions): Promise<Json>;
  /** Submits, waits, and gives every step's output by name. */
  submitAndGetOutputs(
    workflow: WorkflowInput,
    options?: Omit<OutputOptions, 'step'>,
  ): Promise<Record<string, Json>>;
  /** Events from the first (or after a cursor) to the terminal one, over any number of connections. */
  watch(workflowId: string, options?: WatchOptions): AsyncGenerator<WatchEvent, void, undefined>;
  /** The workflow once it has ended, however it ended. */
  wait(workflowId: string, options?: WaitOptions): Promise<WorkflowView>;
  get(workflowId: string, options?: GetOptions): Promise<WorkflowView>;
  /** Newest first. */
  list(options?: ListOptions): AsyncGenerator<WorkflowView, void, undefined>;
  cancel(workflowId: string, options?: CancelOptions): Promise<WorkflowView>;
  /** Where jobs stand, from the queue to their end: all of them first, then those that changed. */
  watchPosition(
    jobIds: readonly string[],
    options?: WatchStandingOptions,
  ): AsyncGenerator<readonly StandingView[], void, undefined>;
  /** All queues first, then those that change; until the loop is left. */
  watchQueues(options?: WatchStandingOptions): AsyncGenerator<QueuesChanged, void, undefined>;
  /** Why a job waits, or what holds it. */
  explainJob(jobId: string, options?: CallOptions): Promise<JobExplanation>;
  /** Why an agent gets nothing. */
  explainAgent(agentId: string, options?: CallOptions): Promise<AgentExplanation>;
  queues(options?: CallOptions): AsyncGenerator<QueueView, void, undefined>;
  agents(options?: CallOptions): AsyncGenerator<AgentView, void, undefined>;
  getQueue(name: string, options?: CallOptions): Promise<QueueView>;
  /** No new claims from a queue, or from all queues of a step type; running jobs go on. */
  pauseQueue(name: string, options?: NoteOptions): Promise<PauseView>;
  resumeQueue(name: string, options?: CallOptions): Promise<void>;
  getAgent(agentId: string, options?: CallOptions): Promise<AgentView>;
  /** Kept, but for a drain: an agent that comes back finds it. */
  controlAgent(agentId: string, action: AgentActionName, options?: NoteOptions): Promise<AgentView>;
  /** Takes a job from its agent or out of its place, to the front of its queue; gives the state it was in. */
  requeueJob(jobId: string, options?: RequeueOptions): Promise<StateName>;
  readonly artifacts: {
    /** Stores a file, bytes or a stream; the answer can stand in any input. */
    put(source: ArtifactSource, options?: PutOptions): Promise<ArtifactReference>;
    get(which: ArtifactName, options?: GetArtifactOptions): Readable;
    /** To a file; its hash is checked before it appears at `path`. */
    download(which: ArtifactName, path: string, options?: GetArtifactOptions): Promise<void>;
  };
  /** Ends all connections; calls under way fail. Idempotent. */
  close(): void;
}

/** Connects when first used; see `ClientOptions` for the defaults. */
export function createClient(options: ClientOptions = {}): DibsClient {
  const connection = new Connection(resolveOptions(options, process.env));
  return {
    submit: (workflow, submitOptions) => submitWorkflow(connection, workflow, submitOptions),
    submitMany: (workflows, manyOptions) => submitMany(connection, workflows, manyOptions),
    openSubmitStream: () => openSubmitStream(connection),
    submitAndGetOutput: (workflow, outputOptions) => submitAndGetOutput(connection, workflow, outputOptions),
    submitAndGetOutputs: (workflow, outputOptions) =>
      submitAndGetOutputs(connection, workflow, outputOptions),
    watch: (workflowId, watchOptions) => watchWorkflow(connection, workflowId, watchOptions),
    wait: (workflowId, waitOptions) => waitForWorkflow(connection, workflowId, waitOptions),
    get: (workflowId, getOptions) => getWorkflow(connection, workflowId, getOptions),
    list: (listOptions) => listWorkflows(connection, listOptions),
    cancel: (workflowId, cancelOptions) => cancelWorkflow(connection, workflowId, cancelOptions),
    watchPosition: (jobIds, watchOptions) => watchPosition(connection, jobIds, watchOptions),
    watchQueues: (watchOptions) => watchQueues(connection, watchOptions),
    explainJob: (jobId, callOptions) => explainJob(connection, jobId, callOptions),
    explainAgent: (agentId, callOptions) => explainAgent(connection, agentId, callOptions),
    queues: (callOptions) => listQueues(connection, callOptions),
    agents: (callOptions) => listAgents(connection, callOptions),
    getQueue: (name, callOptions) => getQueue(connection, name, callOptions),
    pauseQueue: (name, noteOptions) => pauseQueue(connection, name, noteOptions),
    resumeQueue: (name, callOptions) => resumeQueue(connection, name, callOptions),
    getAgent: (agentId, callOptions) => getAgent(connection, agentId, callOptions),
    controlAgent: (agentId, action, noteOptions) => controlAgent(connection, agentId, action, noteOptions),
    requeueJob: (jobId, requeueOptions) => requeueJob(connection, jobId, requeueOptions),
    artifacts: {
      put: (source, putOptions) => putArtifact(connection, source, putOptions),
      get: (which, getOptions) => getArtifact(connection, which, getOptions),
      download: (which, path, getOptions) => downloadArtifact(connection, which, path, getOptions),
    },
    close: () => connection.close(),
    [Symbol.dispose]: () => connection.close(),
  };
}
