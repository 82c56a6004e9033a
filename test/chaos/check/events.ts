/** Logs: without gaps, in order, nothing after the end, and the same for everybody who read them. */
import { isTerminalEvent } from '../../../sdk/common/events.ts';
import { jobId, jobRef, parseWorkflowId } from '../../../coordinator/queue/keys.ts';
import { cursorOf } from '../../../coordinator/events/log-entries.ts';
import type { Rule } from './history.ts';

export const gapFree: Rule = function* ({ stored }) {
  for (const { id, view, events } of stored.workflows.values()) {
    const wrong = events.findIndex(({ sequence }, index) => sequence !== index + 1);
    if (wrong >= 0) yield `${id}: event ${wrong + 1} has the number ${events[wrong]?.sequence}`;
    if (events.length !== view.sequence)
      yield `${id} has ${events.length} events; its head says ${view.sequence}`;
    const end = events.findIndex(({ type }) => isTerminalEvent(type));
    if (end >= 0 && end < events.length - 1)
      yield `${id}: ${events[end + 1]?.type} after ${events[end]?.type}`;
    for (let i = 1; i < events.length; i++) {
      if ((events[i]?.atMs ?? 0) < (events[i - 1]?.atMs ?? 0) - CLOCK_STEP_MS)
        yield `${id}: time goes back at event ${i + 1}`;
    }
  }
};

/** The system's clock may be set back a little by those who keep it. */
const CLOCK_STEP_MS = 50;

/** Watchers saw a run of the log without gaps or repeats, and nothing that is not in it. */
export const watchersAgree: Rule = function* ({ consumers, stored }) {
  const last = new Map<string, number>();
  for (const line of consumers) {
    if (line.op === 'resync') last.set(line.watcher + line.id, line.sequence);
    if (line.op !== 'event') continue;
    const before = last.get(line.watcher + line.id) ?? 0;
    if (line.sequence !== before + 1)
      yield `${line.id}: a watcher saw event ${line.sequence} after ${before}`;
    last.set(line.watcher + line.id, line.sequence);
    const event = stored.workflows.get(line.id)?.events[line.sequence - 1];
    if (event === undefined) {
      yield `${line.id}: a watcher saw event ${line.sequence} (${line.type}), which is not in the log`;
      continue;
    }
    const job =
      event.ordinal < 0 ? '' : jobId(jobRef(parseWorkflowId(line.id) ?? '', event.step, event.ordinal));
    if (
      event.type !== line.type ||
      job !== line.jobId ||
      event.agent !== line.agentId ||
      cursorOf(event) !== line.cursor
    )
      yield `${line.id}: event ${line.sequence} is ${event.type} ${job}; a watcher saw ${line.type} ${line.jobId}`;
  }
};
