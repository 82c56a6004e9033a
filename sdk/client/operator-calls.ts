/** What operators read: queues and fleet, paged behind async iterables. */
import type { ListAgentsResponse__Output, ListQueuesResponse__Output } from '../../proto/gen/index.ts';
import { callOnce } from './call.ts';
import type { CallOptions } from './call.ts';
import type { Connection } from './connection.ts';
import { readAgent, readQueue } from './read-views.ts';
import type { AgentView, QueueView } from './views.ts';

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
