/**
 * The store: every write of the coordinator to Redis, one group-committed script call per cell and kind.
 *
 * Siblings: `scripts.ts` makes the calls, `reads.ts` reads records. What a call touched is announced to `onTouched`,
 * so that local watchers hear of it without waiting for the bus (which tells the other coordinators).
 *
 * Invariants:
 * 1. A method either gives the server's answer or rejects with STORE_UNAVAILABLE or STORE_FULL; nothing is half done.
 * 2. Attempts that must stop (`told`) are handed to `onTold` whoever's agents they run on.
 * 3. Calls of the loops name no origin (''): what they changed is said on the bus, to this coordinator as to any other.
 * 4. Calls that answer somebody who then relies on it go by `answering`: submit, complete, emit and cancel, whose callers never
 *    repeat them once they are acknowledged, and decide, whose end of a workflow is told to its consumer. What may be lost with
 *    a master goes by `scripts`: a lost claim, accept or release costs one more run of a job, a lost sweep nothing.
 */
import { randomBytes } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import { asStoreError, storeFailure } from '../../runtime/redis/store-errors.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import { Batcher } from './batcher.ts';
import type { Waiter } from './batcher.ts';
import { WID_LENGTH, cellIndexOf } from './keys.ts';
import type { Cell } from './keys.ts';
import type { Scripts } from './gen/scripts.ts';
import { bySlice, withRuns } from './runs.ts';
import type { Timed } from './scripts.ts';
import { ScriptRunner } from './scripts.ts';
import type { Send } from './scripts.ts';
import { shareChanges } from './share.ts';
import type {
  Caps,
  AcceptItem,
  AcceptReply,
  Change,
  ClaimAsk,
  CompleteItem,
  CompleteReply,
  DecideItem,
  DecideReply,
  EmitItem,
  EmitReply,
  ProgressItem,
  ReleaseItem,
  SoloItem,
  StallNotes,
  SubmitItem,
  SubmitReply,
  Told,
} from './items.ts';

/** A submit item whose plan has no ARGV number yet: a whole workflow, or one that is a single plain job. */
export interface Submission {
  readonly item: SubmitItem | SoloItem;
  /** The item is a SoloItem; default false. */
  readonly solo?: boolean;
  readonly plan: Buffer;
  /** Classes this coordinator has not registered in the cell yet: [name, canonical requirement]. */
  readonly classes: readonly [string, string][];
}

export interface StoreOptions {
  readonly redis: Redis | Cluster;
  /** Invariant 4, with durability t3; default: as any other call. */
  readonly answering?: Send;
  readonly cells: readonly Cell[];
  /** Id of this coordinator. */
  readonly origin: string;
  readonly clock: Waiter;
  /** Time an accepted job survives without a sign of life, milliseconds. */
  readonly leaseMs: number;
  /** Time an offer stays valid, milliseconds. */
  readonly offerMs: number;
  /** Time a job is kept from an agent that lost it, where others can run it, milliseconds. */
  readonly avoidMs: number;
  /** Tenants with a cap, and the jobs each may hold in a cell; default none. */
  readonly caps?: Caps;
  /** A script was answered; milliseconds from sending it. */
  readonly onTimed?: Timed;
}

interface CellBatchers {
  readonly submit: Batcher<Submission, SubmitReply>;
  readonly complete: Batcher<CompleteItem, CompleteReply>;
  readonly decide: Batcher<DecideItem, DecideReply>;
  readonly accept: Batcher<AcceptItem, AcceptReply>;
  readonly progress: Batcher<ProgressItem, AcceptReply>;
  readonly emit: Batcher<EmitItem, EmitReply>;
  readonly release: Batcher<ReleaseItem, AcceptReply>;
}

/** A short random text: the tag of a commit, the secret half of a fencing token. */
export function shortRandom(): string {
  return randomBytes(6).toString('base64url');
}

export class Store {
  readonly cells: readonly Cell[];
  readonly origin: string;
  readonly redis: Redis | Cluster;
  readonly scripts: ScriptRunner;
  readonly #answering: ScriptRunner;
  /** Workflows that a call of this coordinator changed. */
  onTouched: (wid: string) => void = () => {};
  onTold: (told: readonly Told[]) => void = () => {};
  /**
   * Classes that grow by a call of this coordinator; undefined = any may have. Told as the call goes out, where it is known by
   * then: a claim sent behind it, on the same connection, finds what it enqueued, and one round trip is saved.
   */
  onGrown: (cell: Cell, classes: ReadonlySet<string> | undefined) => void = () => {};
  /** The same once the call is answered, for a claim that came too early: before a call that had to be made again. */
  onStored: (cell: Cell, classes: ReadonlySet<string>) => void = () => {};
  /** Jobs that calls of this coordinator put into queues, retries included. */
  onQueued: (jobs: number) => void = () => {};
  readonly #options: StoreOptions;
  readonly #batchers: readonly CellBatchers[];

  constructor(options: StoreOptions) {
    this.#options = options;
    this.cells = options.cells;
    this.origin = options.origin;
    this.redis = options.redis;
    const { redis, answering, onTimed } = options;
    this.scripts = new ScriptRunner(redis, undefined, onTimed);
    this.#answering = answering === undefined ? this.scripts : new ScriptRunner(redis, answering, onTimed);
    this.#batchers = options.cells.map((cell) => this.#batchersOf(cell));
  }

  cellOf(wid: string): Cell {
    return this.cells[cellIndexOf(wid)] as Cell;
  }

  /** Hot path: callbacks. */
  submit(
    wid: string,
    submission: Submission,
    done: (reply: SubmitReply) => void,
    failed: (error: unknown) => void,
  ): void {
    this.#of(wid).submit.push(submission, done, (error) => failed(storeError(error)));
  }

  complete(
    wid: string,
    item: CompleteItem,
    done: (reply: CompleteReply) => void,
    failed: (error: unknown) => void,
  ): void {
    this.#of(wid).complete.push(item, done, (error) => failed(storeError(error)));
  }

  decide(wid: string, item: DecideItem): Promise<DecideReply> {
    return this.#of(wid).decide.add(item).catch(rethrow);
  }

  accept(wid: string, item: AcceptItem): Promise<AcceptReply> {
    return this.#of(wid).accept.add(item).catch(rethrow);
  }

  progress(wid: string, item: ProgressItem): Promise<AcceptReply> {
    return this.#of(wid).progress.add(item).catch(rethrow);
  }

  emit(wid: string, item: EmitItem): Promise<EmitReply> {
    return this.#of(wid).emit.add(item).catch(rethrow);
  }

  release(wid: string, item: ReleaseItem): Promise<AcceptReply> {
    return this.#of(wid).release.add(item).catch(rethrow);
  }

  /** One claim of this coordinator on one cell; claims of a cell are made one after the other, so `number` names it. */
  claim(cell: Cell, number: number, register: boolean, asks: ClaimAsk[]): Promise<unknown[]> {
    return this.#again(() =>
      this.scripts.call('claim', cell, [
        shortRandom(),
        this.origin,
        number,
        shortRandom(),
        this.#options.offerMs,
        register ? 1 : 0,
        asks,
        this.#options.avoidMs,
        this.#options.caps ?? [],
      ]),
    );
  }

  /** Asks for a cancel; the decision that follows carries it out. */
  requestCancel(wid: string, tenant: string, message: string): Promise<['ok' | 'terminal' | 'gone', number]> {
    return this.#again(() =>
      this.#answering.call('control', this.cellOf(wid), [shortRandom(), this.origin, wid, tenant, message]),
    );
  }

  due(cell: Cell, undecidedMs: number): Promise<[[string, string][], string[], number]> {
    return this.#again(() =>
      this.scripts.call('due', cell, [shortRandom(), '', 64, undecidedMs, this.#options.offerMs]),
    );
  }

  sweep(
    cell: Cell,
    times: { readonly intervalMs: number; readonly slackMs: number; readonly maxRecoveries: number },
    notes: StallNotes,
  ): Promise<[[string, string, number][], string[], number, number]> {
    const { intervalMs, slackMs, maxRecoveries } = times;
    return this.#again(() =>
      this.scripts.call('sweep', cell, [
        shortRandom(),
        '',
        this.#options.leaseMs,
        intervalMs,
        slackMs,
        maxRecoveries,
        64,
        notes,
      ]),
    );
  }

  /** One page of who holds what, among the offers ('o') or the leases ('l'). Cursor '0' begins and ends; count 0 = the time. */
  holders(
    cell: Cell,
    where: 'o' | 'l',
    cursor: string,
    count: number,
  ): Promise<Scripts['holders']['returns']> {
    return this.#again(() => this.scripts.call('holders', cell, [where, cursor, count]));
  }

  /** Log entries of a workflow from list element `from` on; `watcher` '' reads without signing up. */
  log(wid: string, from: number, limit: number, watcher: string): Promise<unknown[]> {
    return this.#again(() => this.scripts.call('log', this.cellOf(wid), [wid, from, limit, watcher]));
  }

  /** Signs this coordinator up for word of a workflow that another one changes. */
  async follow(wid: string): Promise<void> {
    await this.log(wid, Number.MAX_SAFE_INTEGER, 1, this.origin);
  }

  /** Puts a job elsewhere in its queue, if it still is where the caller saw it: its token, or its place ('' = none). */
  async requeue(
    ref: string,
    seen: string,
    toBack: boolean,
    note: string,
  ): Promise<[status: 'ok' | 'moved' | 'terminal' | 'gone', state: number]> {
    const wid = ref.slice(0, WID_LENGTH);
    const cell = this.cellOf(wid);
    const [status, state, told] = await this.#again(() =>
      this.scripts.call('requeue', cell, [shortRandom(), this.origin, ref, seen, toBack ? 1 : 0, note]),
    );
    if (status === 'ok') {
      this.#after([[ref]], told);
      this.onGrown(cell, undefined);
    }
    return [status, state];
  }

  unpark(cell: Cell, cause: string, limit: number): Promise<number> {
    return this.#again(() => this.scripts.call('unpark', cell, [shortRandom(), '', cause, limit]));
  }

  #of(wid: string): CellBatchers {
    const batchers = this.#batchers[cellIndexOf(wid)];
    if (batchers === undefined) throw new DibsError('WORKFLOW_NOT_FOUND', `No workflow ${wid}.`);
    return batchers;
  }

  #batchersOf(cell: Cell): CellBatchers {
    const { origin, scripts } = this;
    const answering = this.#answering;
    const { clock, leaseMs } = this.#options;
    const common = { clock, isTransient };
    return {
      submit: new Batcher({ ...common, send: (items) => this.#sendSubmit(cell, items) }),
      complete: new Batcher({
        ...common,
        giveUpMs: 30_000,
        send: async (items) => {
          const { single, slices, order } = bySlice(items);
          const shared = shareChanges(single.map(grouped(11)), 11);
          const call = answering.call('complete', cell, [
            shortRandom(),
            origin,
            shared.items,
            shared.changes,
            slices,
          ]);
          const [replies, told] = await this.#growing(cell, classesOf(single.map((item) => item[11])), call);
          this.#after(items, told);
          single.forEach((item, at) => {
            if ((replies[at] as CompleteReply)[1] === 1) this.#queued(item[11]);
          });
          if (slices.length === 0) return replies;
          const inOrder: CompleteReply[] = [];
          order.forEach((index, at) => (inOrder[index] = replies[at] as CompleteReply));
          return inOrder;
        },
      }),
      decide: new Batcher({
        ...common,
        send: async (items) => {
          const call = answering.call('decide', cell, [shortRandom(), origin, items.map(grouped(3))]);
          const [replies, told] = await this.#growing(cell, classesOf(items.map((item) => item[3])), call);
          for (const item of items) this.onTouched(item[0]);
          items.forEach((item, at) => {
            if (replies[at]?.[0] === 'ok') this.#queued(item[3]);
          });
          if (told.length > 0) this.onTold(told);
          return replies;
        },
      }),
      accept: new Batcher({
        ...common,
        send: async (items) => {
          const replies = await scripts.call('accept', cell, [shortRandom(), origin, leaseMs, [...items]]);
          this.#after(items, []);
          return replies;
        },
      }),
      progress: new Batcher({
        ...common,
        send: async (items) => {
          const replies = await scripts.call('progress', cell, [shortRandom(), origin, leaseMs, [...items]]);
          this.#after(items, []);
          return replies;
        },
      }),
      emit: new Batcher({
        ...common,
        maxItems: 16,
        send: async (items) => {
          const replies = await answering.call('emit', cell, [shortRandom(), origin, [...items]]);
          this.#after(items, []);
          items.forEach((item, at) => {
            if (replies[at] === 'ok') this.onQueued(item[3].length);
          });
          this.onGrown(cell, undefined);
          return replies;
        },
      }),
      release: new Batcher({
        ...common,
        send: async (items) => {
          const replies = await scripts.call('release', cell, [shortRandom(), origin, [...items]]);
          this.#after(items, []);
          this.onGrown(cell, undefined);
          return replies;
        },
      }),
    };
  }

  #queued(change: Change | number | false): void {
    if (typeof change === 'object' && change[2].length > 0) this.onQueued(change[2].length);
  }

  async #sendSubmit(cell: Cell, submissions: readonly Submission[]): Promise<SubmitReply[]> {
    const blobs: Buffer[] = [];
    const items: SubmitItem[] = [];
    const solos: SoloItem[] = [];
    const classes = new Map<string, string>();
    const grown = classesOf(
      submissions.map(({ item, solo }) => (solo === true ? false : (item as SubmitItem)[7])),
    );
    for (const { item, solo, plan, classes: fresh } of submissions) {
      blobs.push(plan);
      item[4] = blobs.length + 1;
      if (solo === true) {
        solos.push(item as SoloItem);
        grown.add((item as SoloItem)[6]);
      } else items.push(item as SubmitItem);
      for (const [name, requirement] of fresh) classes.set(name, requirement);
    }
    const shared = shareChanges(items.map(grouped(7)), 7);
    const args: Scripts['submit']['args'] = [
      shortRandom(),
      this.origin,
      shared.items,
      [...classes],
      shared.changes,
      solos,
    ];
    const replies = await this.#growing(cell, grown, this.#answering.call('submit', cell, args, blobs));
    for (const { item } of submissions) this.onTouched(item[0]);
    // Replies of the items come first, then those of the solos.
    let next = 0;
    let nextSolo = items.length;
    return submissions.map(({ item, solo }) => {
      const reply = replies[solo === true ? nextSolo++ : next++] as SubmitReply;
      if (reply[0] === 'created') {
        if (solo === true) this.onQueued(1);
        else this.#queued((item as SubmitItem)[7]);
      }
      return reply;
    });
  }

  /** A call that is on its way and adds to these classes. */
  async #growing<T>(cell: Cell, classes: ReadonlySet<string>, call: Promise<T>): Promise<T> {
    if (classes.size === 0) return call;
    this.onGrown(cell, classes);
    const answer = await call;
    this.onStored(cell, classes);
    return answer;
  }

  #after(items: readonly (readonly [string, ...unknown[]])[], told: readonly Told[]): void {
    let last = '';
    for (const [ref] of items) {
      const wid = ref.slice(0, WID_LENGTH);
      if (wid !== last) this.onTouched(wid);
      last = wid;
    }
    if (told.length > 0) this.onTold(told);
  }

  async #again<T>(call: () => Promise<T>): Promise<T> {
    const { clock } = this.#options;
    const deadline = clock.now() + 5000;
    for (let attempt = 0; ; attempt++) {
      try {
        return await call();
      } catch (error) {
        const pauseMs = Math.min(500, 20 * 2 ** attempt);
        if (!isTransient(error) || clock.now() + pauseMs > deadline) throw storeError(error);
        await clock.sleep(pauseMs);
      }
    }
  }
}

/** An item with those jobs of its change in runs that may be. */
function grouped<Item extends unknown[]>(position: number): (item: Item) => Item {
  return (item) => {
    const change = item[position] as Change | number | false;
    if (typeof change !== 'object') return item;
    const made = withRuns(change);
    return made === change ? item : (item.with(position, made) as Item);
  };
}

/** Classes that get new jobs by these changes. */
function classesOf(changes: readonly (Change | number | false)[]): Set<string> {
  const classes = new Set<string>();
  for (const change of changes) {
    if (typeof change !== 'object') continue;
    for (const job of change[2]) classes.add(job[2]);
  }
  return classes;
}

/** True for errors after which the call may or may not have happened. */
function isTransient(error: unknown): boolean {
  return storeFailure(error) === 'unavailable';
}

function storeError(error: unknown): unknown {
  return error instanceof DibsError ? error : asStoreError(error);
}

function rethrow(error: unknown): never {
  throw storeError(error);
}
