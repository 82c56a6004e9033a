/** What operators read and say: queues and fleet, paged behind async iterables, and the word on each of them. */
import { AgentAction } from '../../proto/gen/index.ts';
import type {
  ControlAgentResponse__Output,
  GetAgentResponse__Output,
  GetQueueResponse__Output,
  ListAgentsResponse__Output,
  ListQueuesResponse__Output,
  PauseQueueResponse__Output,
  RequeueJobResponse__Output,
  ResumeQueueResponse__Output,
} from '../../proto/gen/index.ts';
import { stateName } from '../common/states.ts';
import type { StateName } from '../common/states.ts';
import { callOnce } from './call.ts';
import type { CallOptions } from './call.ts';
import type { Connection } from './connection.ts';
import { readAgent, readPause, readQueue } from './read-views.ts';
import type { AgentView, PauseView, QueueView } from './views.ts';

export interface NoteOptions extends CallOptions {
  /** For people: why. */
  readonly note?: string | undefined;
}

export interface RequeueOptions extends NoteOptions {
  /** To the back of its queue instead of the front. */
  readonly toBack?: boolean | undefined;
}

const ACTIONS = {
  pause: AgentAction.AGENT_ACTION_PAUSE,
  resume: AgentAction.AGENT_ACTION_RESUME,
  drain: AgentAction.AGENT_ACTION_DRAIN,
  quarantine: AgentAction.AGENT_ACTION_QUARANTINE,
  release: AgentAction.AGENT_ACTION_RELEASE,
} as const;

export type AgentActionName = keyof typeof ACTIONS;

/** A repeat of these finds nothing left to undo. */
const ONCE: ReadonlySet<AgentActionName> = new Set(['resume', 'release']);

export async function* listQueues(
  connection: Connection,
  call: CallOptions = {},
): AsyncGenerator<QueueView, void, undefined> {
  let pageToken = '';
  do {
    const request = { pageSize: 0, pageToken };
    const page = await callOnce<ListQueuesResponse__Output>(
      connection,
      ({ operator }, options, callback) =>
        operator.listQueues(request, connection.metadata, options, callback),
      { idempotent: true, ...call },
    );
    for (const queue of page.queues) yield readQueue(queue);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
}

export async function* listAgents(
  connection: Connection,
  call: CallOptions = {},
): AsyncGenerator<AgentView, void, undefined> {
  let pageToken = '';
  do {
    const request = { pageSize: 0, pageToken };
    const page = await callOnce<ListAgentsResponse__Output>(
      connection,
      ({ operator }, options, callback) =>
        operator.listAgents(request, connection.metadata, options, callback),
      { idempotent: true, ...call },
    );
    for (const agent of page.agents) yield readAgent(agent);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
}

export async function getQueue(
  connection: Connection,
  name: string,
  call: CallOptions = {},
): Promise<QueueView> {
  const { queue } = await callOnce<GetQueueResponse__Output>(
    connection,
    ({ operator }, options, callback) => operator.getQueue({ name }, connection.metadata, options, callback),
    { idempotent: true, ...call },
  );
  return readQueue(present(queue));
}

export async function pauseQueue(
  connection: Connection,
  name: string,
  { note = '', ...call }: NoteOptions = {},
): Promise<PauseView> {
  const { pause } = await callOnce<PauseQueueResponse__Output>(
    connection,
    ({ operator }, options, callback) =>
      operator.pauseQueue({ name, note }, connection.metadata, options, callback),
    { idempotent: true, ...call },
  );
  return readPause(present(pause));
}

export async function resumeQueue(
  connection: Connection,
  name: string,
  call: CallOptions = {},
): Promise<void> {
  await callOnce<ResumeQueueResponse__Output>(
    connection,
    ({ operator }, options, callback) =>
      operator.resumeQueue({ name }, connection.metadata, options, callback),
    { idempotent: false, ...call },
  );
}

export async function getAgent(
  connection: Connection,
  agentId: string,
  call: CallOptions = {},
): Promise<AgentView> {
  const { agent } = await callOnce<GetAgentResponse__Output>(
    connection,
    ({ operator }, options, callback) =>
      operator.getAgent({ agentId }, connection.metadata, options, callback),
    { idempotent: true, ...call },
  );
  return readAgent(present(agent));
}

export async function controlAgent(
  connection: Connection,
  agentId: string,
  action: AgentActionName,
  { note = '', ...call }: NoteOptions = {},
): Promise<AgentView> {
  const request = { agentId, action: ACTIONS[action], note };
  const { agent } = await callOnce<ControlAgentResponse__Output>(
    connection,
    ({ operator }, options, callback) =>
      operator.controlAgent(request, connection.metadata, options, callback),
    { idempotent: !ONCE.has(action), ...call },
  );
  return readAgent(present(agent));
}

/** The state it was in. */
export async function requeueJob(
  connection: Connection,
  jobId: string,
  { note = '', toBack = false, ...call }: RequeueOptions = {},
): Promise<StateName> {
  const { was } = await callOnce<RequeueJobResponse__Output>(
    connection,
    ({ operator }, options, callback) =>
      operator.requeueJob({ jobId, toBack, note }, connection.metadata, options, callback),
    { idempotent: true, ...call },
  );
  return stateName(was);
}

function present<T>(part: T | null): T {
  if (part === null) throw new Error('The coordinator left out what it was asked for.');
  return part;
}
