/**
 * OperatorService: queues and fleet, in pages ordered by name. `control-handlers.ts` has one of each, and what changes them.
 */
import type { OperatorHandlers } from '../../proto/gen/load.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import type { Controls } from '../agents/controls.ts';
import type { Fleet } from '../agents/fleet.ts';
import type { QueueBoard } from '../forecast/queue-board.ts';
import { serverStream, unary } from './handling.ts';
import type { Frame } from './handling.ts';
import { agentMessage } from './operator-views.ts';
import { queueMessage, watchQueues } from './watch-queues.ts';

const DEFAULT_PAGE = 100;
const MAX_PAGE = 1000;

export interface OperatorServiceParts {
  readonly frame: Frame;
  readonly fleet: Fleet;
  readonly queues: QueueBoard;
  readonly controls: Controls;
}

export function operatorHandlers({
  frame,
  fleet,
  queues,
  controls,
}: OperatorServiceParts): Pick<OperatorHandlers, 'listQueues' | 'getQueue' | 'watchQueues' | 'listAgents'> {
  return {
    listQueues: unary(frame, async (request) => {
      const page = pageOf(await queues.list(), ({ name }) => name, request);
      return { queues: page.items.map(queueMessage), nextPageToken: page.next };
    }),

    getQueue: unary(frame, async ({ name }) => {
      const queue = (await queues.list()).find((one) => one.name === name);
      if (queue === undefined)
        throw new DibsError('QUEUE_NOT_FOUND', `There is no queue "${name.slice(0, 200)}".`);
      return { queue: queueMessage(queue) };
    }),

    watchQueues: serverStream(frame, (_request, _caller, write, signal) =>
      watchQueues(queues, write, signal),
    ),

    listAgents: unary(frame, async (request) => {
      const page = pageOf(await fleet.list(), (agent) => `${agent.name}\0${agent.id}`, request);
      return { agents: page.items.map((record) => agentMessage(record, controls)), nextPageToken: page.next };
    }),
  };
}

/** Items after the token's, which is the key of the last one shown. */
function pageOf<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  { pageSize, pageToken }: { readonly pageSize: number; readonly pageToken: string },
): { items: T[]; next: string } {
  if (pageSize < 0 || pageSize > MAX_PAGE)
    throw new DibsError('INVALID_REQUEST', `page_size must be 0 to ${MAX_PAGE}.`);
  const size = pageSize === 0 ? DEFAULT_PAGE : pageSize;
  const after = Buffer.from(pageToken, 'base64url').toString();
  const rest = pageToken === '' ? [...items] : items.filter((item) => keyOf(item) > after);
  const shown = rest.slice(0, size);
  const last = shown.at(-1);
  return {
    items: shown,
    next: rest.length > size && last !== undefined ? Buffer.from(keyOf(last)).toString('base64url') : '',
  };
}
