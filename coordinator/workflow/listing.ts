/**
 * Lists a tenant's workflows, newest first, along the lists of creation.
 *
 * Invariants: a page token names, per cell, the position to read downwards from, so pages never repeat a workflow and
 * never lose one that existed when the first page was read; within a cell the order is exact, across cells it follows the
 * creation times of what is read.
 */
import type { ListWorkflowsRequest__Output } from '../../proto/gen/index.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import { State, parseState } from '../../sdk/common/states.ts';
import { keys } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';
import type { Store } from '../queue/store.ts';
import type { LoadedWorkflow, Reader } from './reader.ts';

const DEFAULT_PAGE = 50;
const MAX_PAGE = 1000;
/** Workflows looked at for one page at most, where a filter lets few pass. */
const MAX_SCANNED = 5000;
/** Days looked back. */
const MAX_DAYS = 400;
const DAY_MS = 86_400_000;

interface Filter {
  readonly state: number;
  readonly tag: string;
  readonly name: string;
  readonly type: string;
}

interface Position {
  /** UTC day number. */
  readonly day: number;
  /** Per cell: next index to read, downwards; -1 = done with that day; null = from the newest. */
  readonly next: readonly (number | null)[];
}

export interface ListingOptions {
  readonly store: Store;
  readonly reader: Reader;
  readonly now: () => number;
}

export class Listing {
  readonly #options: ListingOptions;

  constructor(options: ListingOptions) {
    this.#options = options;
  }

  async page(
    tenant: string,
    request: ListWorkflowsRequest__Output,
  ): Promise<{ workflows: LoadedWorkflow[]; nextPageToken: string }> {
    const { store, now } = this.#options;
    if (request.pageSize < 0 || request.pageSize > MAX_PAGE) {
      throw new DibsError('INVALID_REQUEST', `page_size must be 0 to ${MAX_PAGE}.`);
    }
    const size = request.pageSize === 0 ? DEFAULT_PAGE : request.pageSize;
    const filter = parseFilter(request.filter);
    // One day ahead: the clock of Redis may be ahead of ours.
    const today = Math.floor(now() / DAY_MS) + 1;
    let position: Position =
      request.pageToken === ''
        ? { day: today, next: store.cells.map(() => null) }
        : parseToken(request.pageToken, store.cells.length, today);
    const found: LoadedWorkflow[] = [];
    let scanned = 0;
    while (found.length < size && scanned < MAX_SCANNED && position.day > today - MAX_DAYS) {
      const batch = await this.#readDay(tenant, position, Math.min(100, size - found.length));
      scanned += batch.read;
      found.push(...batch.workflows.filter((loaded) => matches(loaded, filter)));
      position = batch.position;
    }
    const more = position.day > today - MAX_DAYS;
    return { workflows: found, nextPageToken: more ? makeToken(position) : '' };
  }

  /** The newest `count` not yet read of a day, merged over the cells. */
  async #readDay(tenant: string, position: Position, count: number) {
    const { store, reader } = this.#options;
    const perCell = await Promise.all(
      store.cells.map(async (cell) => {
        const top = position.next[cell.index] ?? (await this.#length(cell, position.day)) - 1;
        if (top < 0) return { top: -1, wids: [] };
        const from = Math.max(0, top - count + 1);
        const wids = await store.redis.lrange(keys.created(cell, position.day), from, top);
        return { top, wids: wids.toReversed() };
      }),
    );
    const candidates = perCell.flatMap(({ wids }, cell) => wids.map((wid) => ({ wid, cell })));
    const loaded = await Promise.all(candidates.map(({ wid }) => reader.load(wid, tenant)));
    // Gone or another tenant's: taken off first, they cost no place on the page.
    const order = candidates
      .map(({ cell }, i) => ({
        cell,
        workflow: loaded[i],
        at: loaded[i]?.view.createdAt ?? Number.POSITIVE_INFINITY,
      }))
      .toSorted((a, b) => b.at - a.at)
      .slice(0, count);
    const taken = store.cells.map(() => 0);
    for (const { cell } of order) taken[cell] = (taken[cell] ?? 0) + 1;
    const next = perCell.map(({ top }, cell) => (top < 0 ? -1 : top - (taken[cell] ?? 0)));
    const dayDone = next.every((index) => index < 0);
    return {
      read: order.length,
      workflows: order.flatMap(({ workflow }) => (workflow === undefined ? [] : [workflow])),
      position: dayDone ? { day: position.day - 1, next: next.map(() => null) } : { day: position.day, next },
    };
  }

  #length(cell: Cell, day: number): Promise<number> {
    return this.#options.store.redis.llen(keys.created(cell, day));
  }
}

function parseFilter(text: string): Filter {
  const filter = { state: 0, tag: '', name: '', type: '' };
  for (const term of text.split(/\s+AND\s+|\s*,\s*/i).filter((part) => part !== '')) {
    const match = /^(\w+)\s*=\s*"?([^"]*)"?$/.exec(term.trim());
    const [, field, value = ''] = match ?? [];
    if (field === 'state' || field === 'status') {
      const state = parseState(value);
      if (state === undefined) throw new DibsError('INVALID_REQUEST', `filter: "${value}" is no state.`);
      filter.state = State[state];
    } else if (field === 'tag' || field === 'name' || field === 'type') filter[field] = value;
    else
      throw new DibsError(
        'INVALID_REQUEST',
        `filter: "${term}" is not field=value with state, tag, name or type.`,
      );
  }
  return filter;
}

function matches({ plan, view }: LoadedWorkflow, filter: Filter): boolean {
  return (
    (filter.state === 0 || view.state === filter.state) &&
    (filter.tag === '' || plan.tags.includes(filter.tag)) &&
    (filter.name === '' || plan.name === filter.name) &&
    (filter.type === '' || plan.steps.some((step) => step.type === filter.type))
  );
}

function makeToken(position: Position): string {
  return Buffer.from(JSON.stringify([position.day, position.next])).toString('base64url');
}

function parseToken(token: string, cells: number, today: number): Position {
  try {
    const [day, next] = JSON.parse(Buffer.from(token, 'base64url').toString()) as [number, (number | null)[]];
    const sound = (index: number | null): boolean => index === null || Number.isInteger(index);
    const known = Number.isInteger(day) && day >= 0 && day <= today;
    if (known && Array.isArray(next) && next.length === cells && next.every(sound)) return { day, next };
  } catch {
    // Falls through to the refusal.
  }
  throw new DibsError('INVALID_REQUEST', 'page_token is not one of this service.');
}
