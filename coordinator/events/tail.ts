/**
 * Reads one workflow's log from a cursor to its end, as it grows.
 *
 * Invariants:
 * 1. Events come in order, without gaps and without repeats; after the terminal event comes nothing.
 * 2. A cursor that does not match the log (the store lost acknowledged data) gives one resync, then events after it.
 * 3. Reads never overlap; news during a read leads to exactly one more.
 */
import { isTerminalEvent } from '../../sdk/common/events.ts';
import type { Store } from '../queue/store.ts';
import { readHead } from '../workflow/view.ts';
import { expandEntries } from './log-entries.ts';
import type { LogEntry, LoggedEvent } from './log-entries.ts';
import type { News } from './news.ts';

/** List elements read at once: of about 1 KiB, or one commit of some hundred events. They are held until they were written. */
const PAGE = 8;

export interface TailStart {
  /** Last sequence the reader has seen; 0 = none. */
  readonly sequence: number;
  /** Commit tag of that event; '' = not known, so not checked. */
  readonly tag: string;
}

export type TailBatch =
  | { readonly kind: 'events'; readonly events: readonly LoggedEvent[]; readonly ended: boolean }
  /** The cursor does not match; the reader starts over from this sequence. */
  | { readonly kind: 'resync'; readonly sequence: number }
  | { readonly kind: 'gone' };

export async function* tailLog(
  store: Store,
  news: News,
  wid: string,
  start: TailStart,
  signal: AbortSignal,
): AsyncGenerator<TailBatch, void, void> {
  let pending = true;
  let wake: () => void = () => {};
  const stopListening = news.listen(wid, () => {
    pending = true;
    wake();
  });
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort);
  try {
    let { sequence } = start;
    let check = start.tag !== '';
    let position = 0;
    while (!signal.aborted) {
      if (!pending) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (pending || signal.aborted) resolve();
        });
        continue;
      }
      pending = false;
      const [read, head, ...entries] = (await store.log(wid, position, PAGE, store.origin)) as [
        [number, number],
        Buffer,
        ...LogEntry[],
      ];
      if (read[0] < 0) {
        yield { kind: 'gone' };
        return;
      }
      const view = readHead(head);
      const all = expandEntries(entries);
      position += read[0];
      if (read[1] === 1) pending = true;
      if (view.sequence < sequence || (check && isContradicted(all, sequence, start.tag))) {
        sequence = view.sequence;
        check = false;
        yield { kind: 'resync', sequence };
        if (view.state >= 5 && view.state <= 8) return;
        continue;
      }
      if (all.length > 0 && (all.at(-1) as LoggedEvent).sequence >= sequence) check = false;
      const events = all.filter((event) => event.sequence > sequence);
      const last = events.at(-1);
      if (last === undefined) {
        // A reader that has seen the end already.
        if (view.state >= 5 && view.state <= 8 && view.sequence === sequence && read[1] === 0) {
          yield { kind: 'events', events: [], ended: true };
          return;
        }
        continue;
      }
      sequence = last.sequence;
      const ended = isTerminalEvent(last.type);
      yield { kind: 'events', events, ended };
      if (ended) return;
    }
  } finally {
    stopListening();
    signal.removeEventListener('abort', onAbort);
  }
}

/** The event the cursor names stands in the log under another commit. */
function isContradicted(events: readonly LoggedEvent[], sequence: number, tag: string): boolean {
  const same = events.find((event) => event.sequence === sequence);
  return same !== undefined && same.tag !== tag;
}
