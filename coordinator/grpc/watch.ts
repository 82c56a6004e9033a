/**
 * WatchWorkflow: one workflow's log from a cursor to its end.
 */
import type {
  Event__Output,
  WatchWorkflowRequest__Output,
  WatchWorkflowResponse__Output,
  State__Output,
} from '../../proto/gen/index.ts';
import type { Plain } from '../../proto/gen/load.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import { isTerminalEvent } from '../../sdk/common/events.ts';
import { cursorOf, parseCursor } from '../events/log-entries.ts';
import type { LoggedEvent } from '../events/log-entries.ts';
import type { News } from '../events/news.ts';
import { tailLog } from '../events/tail.ts';
import { jobId, jobRef, workflowId } from '../queue/keys.ts';
import type { Store } from '../queue/store.ts';
import { countsOf } from '../workflow/reader.ts';
import type { LoadedWorkflow, Reader } from '../workflow/reader.ts';

/** Events of one message at most. */
const MAX_EVENTS = 256;
/** What events carry in one message at most, unless a single one is larger, characters. */
const MESSAGE_CHARS = 1024 * 1024;
/** Outputs longer than this are left out of events; GetWorkflow has them. */
const MAX_EVENT_OUTPUT = 64 * 1024;

export async function watchWorkflow(
  parts: { readonly store: Store; readonly reader: Reader; readonly news: News },
  wid: string,
  tenant: string,
  request: WatchWorkflowRequest__Output,
  write: (response: Plain<WatchWorkflowResponse__Output>) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { store, reader, news } = parts;
  const cursor =
    request.afterCursor === ''
      ? { sequence: request.afterSequence, tag: '' }
      : parseCursor(request.afterCursor);
  if (cursor === undefined)
    throw new DibsError('INVALID_REQUEST', 'after_cursor is not a cursor of this service.');
  const load = async (): Promise<LoadedWorkflow> => {
    const loaded = await reader.load(wid, tenant);
    if (loaded === undefined)
      throw new DibsError('WORKFLOW_NOT_FOUND', `There is no workflow "${workflowId(wid)}".`);
    return loaded;
  };
  const first = await load();
  for await (const batch of tailLog(store, news, wid, cursor, signal)) {
    if (batch.kind === 'gone')
      throw new DibsError('WORKFLOW_NOT_FOUND', `There is no workflow "${workflowId(wid)}".`);
    if (batch.kind === 'resync') {
      await write({ events: [], resync: await reader.message(await load(), { jobs: false, outputs: true }) });
      continue;
    }
    for (let from = 0; from < batch.events.length; from += MAX_EVENTS) {
      const slice = batch.events.slice(from, from + MAX_EVENTS);
      const current = slice.some(carriesData) ? await load() : first;
      let events: Plain<Event__Output>[] = [];
      let chars = 0;
      for (const event of slice) {
        const formatted = await format(event, current, reader);
        const size = formatted.dataJson?.length ?? 0;
        if (events.length > 0 && chars + size > MESSAGE_CHARS) {
          await write({ events });
          events = [];
          chars = 0;
        }
        events.push(formatted);
        chars += size;
      }
      await write({ events });
    }
    if (batch.ended) return;
  }
}

function carriesData(event: LoggedEvent): boolean {
  return event.type === 'step.succeeded' || isTerminalEvent(event.type);
}

async function format(
  event: LoggedEvent,
  loaded: LoadedWorkflow,
  reader: Reader,
): Promise<Plain<Event__Output>> {
  const { wid, plan } = loaded;
  return {
    sequence: event.sequence,
    cursor: cursorOf(event),
    atMs: event.atMs,
    type: event.type,
    workflowId: workflowId(wid),
    step: event.step >= 0 ? (plan.steps[event.step]?.name ?? '') : '',
    jobId: event.ordinal >= 0 ? jobId(jobRef(wid, event.step, event.ordinal)) : '',
    agentId: event.agent,
    state: event.state as State__Output,
    outcome: event.reason === '' ? null : { reason: event.reason, message: event.message },
    dataJson: await dataOf(event, loaded, reader),
  };
}

async function dataOf(event: LoggedEvent, loaded: LoadedWorkflow, reader: Reader): Promise<string> {
  if (event.type === 'job.progress') {
    return JSON.stringify({
      progress: event.data,
      ...(event.message === '' ? {} : { message: event.message }),
    });
  }
  if (event.type === 'job.stalled' || event.type === 'job.preparing')
    return typeof event.data === 'string' ? event.data : '';
  if (event.type === 'step.succeeded') {
    const output = await reader.output(loaded, event.step);
    return output.length > MAX_EVENT_OUTPUT ? '{"outputOmitted":true}' : `{"output":${output}}`;
  }
  if (isTerminalEvent(event.type)) {
    return `{"state":${loaded.plan.stateJson || 'null'},"counts":${JSON.stringify(countsOf(loaded.view))}}`;
  }
  return '';
}
