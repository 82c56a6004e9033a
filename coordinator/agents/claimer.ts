/**
 * The claim loop of one cell: puts the open credits of this coordinator's agents to the store and hands out what they
 * win.
 *
 * Invariants:
 * 1. One claim per cell is under way at a time; `number` names it, so a repeat brings the same jobs.
 * 2. A class that came up short is dry until something says otherwise: an enqueue here, a wake-up, the poll.
 *    Nothing is asked of dry classes, so an idle fleet makes no calls but the poll.
 * 3. Credits asked for are reserved until the claim is back.
 * 4. Of the agents asked in one call the preferred ones come first; nobody waits for an agent that was not asked, so preference
 *    starves no job.
 * 5. What an agent may be given less of, because others do it better, is what others can run: its own classes are asked for as before.
 * 6. What an agent leaves to others (it lost that job before) makes the class dry for this agent alone.
 */
import type { ClaimAsk, ClaimShort, Grant } from '../queue/items.ts';
import type { Cell } from '../queue/keys.ts';
import { WID_LENGTH, jobRef, parseSlice } from '../queue/keys.ts';
import type { Reads } from '../queue/reads.ts';
import { runField, tokenAfter } from '../queue/runs.ts';
import type { Store } from '../queue/store.ts';
import { patiently } from '../../runtime/redis/patience.ts';
import type { Plan } from '../workflow/plan.ts';
import type { PlanCache } from '../workflow/plan-cache.ts';
import { readHead } from '../workflow/view.ts';
import type { WorkflowView } from '../workflow/view.ts';
import type { Credit } from './credit.ts';
import type { Rates } from './rates.ts';

/** Jobs asked for one agent in one call: keeps a script call under a millisecond. */
const MAX_PER_ASK = 64;
/** Jobs asked for in one call. */
const MAX_PER_CLAIM = 256;

/** How long the plans of claimed jobs are asked for, milliseconds; then their offers lapse. */
const PLAN_PATIENCE_MS = 5000;

/** An agent as the claim loop sees it. */
export interface Claimant {
  readonly agentId: string;
  readonly credit: Credit;
  /** Classes it can run, in this cell, by step type. */
  classesIn(cell: Cell): ReadonlyMap<string, readonly string[]>;
  /** Cost of a job of a class on this agent; `ownCost` is the step's. */
  costOn(queue: string, ownCost: number): number;
  /** Jobs of a type it may be given beyond those it holds, whatever it states. */
  roomFor(type: string): number;
  /** How much it is to be preferred for these classes: more is better; 0 = like any other. */
  preference(classes: readonly string[]): number;
  take(job: ClaimedJob): void;
}

/** Agents that can run the same classes, one or more. */
export type ClaimantGroup = readonly Claimant[];

export interface ClaimedJob {
  readonly ref: string;
  readonly wid: string;
  readonly step: number;
  readonly ordinal: number;
  readonly token: string;
  readonly attempt: number;
  readonly cost: number;
  /** '' = what the plan tells. */
  readonly input: string;
  readonly slot: number;
  /** The workflow as the claim left it; undefined where it is too large to travel. */
  readonly view: WorkflowView | undefined;
  readonly plan: Plan;
  /** It is one of a run. */
  readonly inRun: boolean;
  readonly claimId: string;
}

export interface ClaimerOptions {
  readonly cell: Cell;
  readonly store: Store;
  readonly reads: Reads;
  readonly plans: PlanCache;
  readonly claimants: () => readonly ClaimantGroup[];
  readonly rates: Pick<Rates, 'any' | 'isLimited' | 'take' | 'giveBack'>;
  /** Whether agents other than this one could run a class. */
  readonly hasOthers: (queue: string, agentId: string) => boolean;
  /** Whether nothing is claimed from a class for now. */
  readonly isPaused: (queue: string, type: string) => boolean;
  /** A claim was answered. */
  readonly onClaimed?: (wanted: number, granted: number) => void;
  /** Another cell may have what this one lacks. */
  readonly onShort: (cell: Cell) => void;
  readonly onError: (error: unknown) => void;
  /** Workflows whose view changed by a claim here. */
  readonly onTouched: (wid: string) => void;
}

/** By field: what `Reads.runInputs` found there. */
type RunInputs = Map<string, { readonly from: number; readonly inputs: readonly string[] }>;

/** Of limited step types: tokens no ask has yet, and those no job was granted for. */
interface Tokens {
  readonly free: Map<string, number>;
  readonly unused: Map<string, number>;
}

/** What grants are made into jobs with. */
interface Found {
  readonly plans: ReadonlyMap<string, Plan>;
  readonly inputs: RunInputs;
  readonly tokens: Tokens | undefined;
}

interface Asked {
  readonly claimant: Claimant;
  readonly ask: ClaimAsk;
  readonly preference: number;
  /** By the credit's clock. */
  claimedAt: number;
}

export class Claimer {
  readonly #options: ClaimerOptions;
  readonly #dry = new Set<string>();
  /** By agent: classes in which it leaves to others what is there. */
  readonly #left = new Map<string, Set<string>>();
  /** Classes somebody spoke for while a claim was under way; undefined = all. */
  #woken: Set<string> | undefined = new Set();
  #number = 0;
  #running = false;
  #again = false;
  #stopped = false;
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ClaimerOptions) {
    this.#options = options;
  }

  /** Something may be there to claim. Names = classes that grew; none = unknown, so all. */
  wake(classes?: Iterable<string>): void {
    if (classes === undefined) {
      this.#dry.clear();
      this.#left.clear();
      this.#woken = undefined;
    } else {
      for (const name of classes) {
        this.#dry.delete(name);
        for (const names of this.#left.values()) names.delete(name);
        this.#woken?.add(name);
      }
    }
    this.kick();
  }

  /** What was added to these classes is stored: those a claim found empty meanwhile are looked at again. */
  wakeDry(classes: Iterable<string>): void {
    const dry = [...classes].filter((name) => this.#dry.has(name));
    if (dry.length > 0) this.wake(dry);
  }

  /** Credits changed. */
  kick(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    setImmediate(() => void this.#run());
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    try {
      do {
        this.#again = false;
        const tokens = await this.#takeTokens();
        const asked = this.#asks(tokens);
        if (asked.length === 0) await this.#giveBack(tokens);
        else {
          try {
            await this.#claim(asked, tokens);
          } finally {
            await this.#giveBack(tokens);
          }
        }
      } while (this.#again && !this.#stopped);
    } catch (error) {
      this.#options.onError(error);
    } finally {
      this.#running = false;
      if (this.#again && !this.#stopped) this.kick();
    }
  }

  /** Tokens for the limited step types that may be asked for; undefined where there is none. */
  async #takeTokens(): Promise<Tokens | undefined> {
    const { rates } = this.#options;
    if (!rates.any) return undefined;
    const wanted = new Map<string, number>();
    for (const group of this.#options.claimants()) {
      for (const [type] of this.#wetOf(group)) {
        if (!rates.isLimited(type)) continue;
        const open = group.reduce((sum, { credit }) => sum + credit.openOf(type), 0);
        if (open > 0) wanted.set(type, Math.min(MAX_PER_CLAIM, (wanted.get(type) ?? 0) + open));
      }
    }
    if (wanted.size === 0) return undefined;
    const tokens: Tokens = { free: new Map(), unused: new Map() };
    let waitMs = Number.POSITIVE_INFINITY;
    await Promise.all(
      [...wanted].map(async ([type, jobs]) => {
        const answer = await rates.take(type, jobs);
        tokens.free.set(type, answer.taken);
        tokens.unused.set(type, answer.taken);
        if (answer.taken < jobs) waitMs = Math.min(waitMs, answer.waitMs);
      }),
    );
    if (waitMs < Number.POSITIVE_INFINITY) this.#kickIn(waitMs);
    return tokens;
  }

  async #giveBack(tokens: Tokens | undefined): Promise<void> {
    if (tokens === undefined) return;
    const { rates } = this.#options;
    await Promise.all([...tokens.unused].map(([type, jobs]) => rates.giveBack(type, jobs)));
  }

  #kickIn(ms: number): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.kick();
    }, ms);
    this.#timer.unref();
  }

  #asks(tokens: Tokens | undefined): Asked[] {
    const groups = this.#options.claimants();
    const asked: Asked[] = [];
    let room = MAX_PER_CLAIM;
    // Who is asked first changes every time: no agent owns the front of the race.
    this.#turn++;
    for (let i = 0; i < groups.length && room > 0; i++) {
      const group = groups[(i + this.#turn) % groups.length] as ClaimantGroup;
      const wet = this.#wetOf(group);
      for (let at = 0; wet.length > 0 && at < group.length && room > 0; at++) {
        const claimant = group[(at + Math.floor(this.#turn / groups.length)) % group.length] as Claimant;
        const ask = this.#askFor(claimant, wet, room, tokens);
        if (ask === undefined) continue;
        room -= ask[1];
        asked.push({ claimant, ask, preference: claimant.preference(ask[2]), claimedAt: 0 });
      }
    }
    if (asked.some(({ preference }) => preference !== 0)) asked.sort((a, b) => b.preference - a.preference);
    if (room === 0) this.#again = true;
    return asked;
  }

  /** Classes by type of which a group may be given something; mostly none, however many agents wait. */
  #wetOf(group: ClaimantGroup): (readonly [type: string, names: readonly string[]])[] {
    const wet: [string, readonly string[]][] = [];
    for (const [type, names] of group[0]?.classesIn(this.#options.cell) ?? []) {
      const { isPaused } = this.#options;
      const left = names.filter((name) => !this.#dry.has(name) && !isPaused(name, type));
      if (left.length > 0) wet.push([type, left]);
    }
    return wet;
  }

  #askFor(
    claimant: Claimant,
    wet: readonly (readonly [type: string, names: readonly string[]])[],
    budget: number,
    tokens: Tokens | undefined,
  ): ClaimAsk | undefined {
    const { agentId, credit } = claimant;
    const open = credit.open;
    if (open === 0) return undefined;
    const classes: string[] = [];
    const groups: number[] = [];
    const limits: number[] = [];
    const alone: number[] = [];
    const left = this.#left.get(agentId);
    for (const [type, names] of wet) {
      const free = tokens?.free.get(type);
      const most = Math.min(credit.openOf(type), free ?? Number.POSITIVE_INFINITY);
      if (most === 0) continue;
      const room = Math.min(most, claimant.roomFor(type));
      let [shared, own] = [0, 0];
      for (const name of names) {
        if (left?.has(name) === true) continue;
        const isAlone = !this.#options.hasOthers(name, agentId);
        let group: number;
        if (isAlone && room < most) group = own ||= limits.push(most - room);
        else if (room === 0) continue;
        else group = shared ||= limits.push(room);
        classes.push(name);
        groups.push(group);
        if (isAlone) alone.push(classes.length);
      }
      if (free !== undefined && shared + own > 0) tokens?.free.set(type, free - most);
    }
    if (classes.length === 0) return undefined;
    return [agentId, Math.min(open, MAX_PER_ASK, budget), classes, groups, limits, alone];
  }

  async #claim(asked: readonly Asked[], tokens: Tokens | undefined): Promise<void> {
    const { cell, store } = this.#options;
    for (const one of asked) one.claimedAt = one.claimant.credit.reserve(one.ask[1]);
    let reply: unknown[];
    let plans: Map<string, Plan>;
    let inputs: RunInputs;
    this.#woken = new Set();
    const number = ++this.#number;
    try {
      reply = await store.claim(
        cell,
        number,
        true,
        asked.map(({ ask }) => ask),
      );
      [plans, inputs] = await Promise.all([this.#plansFor(reply), this.#inputsFor(reply)]);
    } finally {
      for (const { claimant, ask } of asked) claimant.credit.unreserve(ask[1]);
    }
    const granted = this.#deliver(asked, reply, { plans, inputs, tokens }, `${store.origin}.${number}`);
    const [short, left] = reply[0] as ClaimShort;
    const wanted = asked.reduce((sum, { ask }) => sum + ask[1], 0);
    this.#options.onClaimed?.(wanted, wanted - short.reduce((sum, jobs) => sum + jobs, 0));
    const leaves = new Set<string>();
    for (let i = 0; i < left.length; i += 2) leaves.add(`${left[i]} ${left[i + 1]}`);
    let someShort = false;
    let someFull = false;
    asked.forEach(({ claimant, ask }, index) => {
      if ((short[index] ?? 0) === 0) {
        someFull = true;
        return;
      }
      someShort = true;
      ask[2].forEach((name, position) => {
        const group = ask[3][position] as number;
        const limited = ((granted[index] as number[])[group] ?? 0) >= (ask[4][group - 1] as number);
        // What came in while the claim was under way may have come too late for it.
        if (limited || this.#woken?.has(name) !== false) return;
        if (leaves.has(`${index} ${position}`)) this.#leave(claimant.agentId, name);
        else this.#dry.add(name);
      });
    });
    if (someShort) this.#options.onShort(cell);
    // Who got all it asked for may have credit that was not asked for: an ask is bounded.
    if (someFull) this.#again = true;
  }

  #leave(agentId: string, name: string): void {
    const names = this.#left.get(agentId);
    if (names === undefined) this.#left.set(agentId, new Set([name]));
    else names.add(name);
  }

  /** Plans of the granted workflows: those at hand, and the others from the store. */
  async #plansFor(reply: readonly unknown[]): Promise<Map<string, Plan>> {
    const { cell, plans: known, reads } = this.#options;
    const plans = new Map<string, Plan>();
    const asked = new Set<string>();
    const missing: string[] = [];
    for (let i = 1; i < reply.length; i++) {
      const [, ref, , , , , , hasHead] = reply[i] as Grant;
      if (hasHead) i++;
      const wid = ref.slice(0, WID_LENGTH);
      if (asked.has(wid)) continue;
      asked.add(wid);
      const plan = known.find(wid);
      if (plan === undefined) missing.push(wid);
      else plans.set(wid, plan);
    }
    if (missing.length === 0) return plans;
    const found = await patiently(() => reads.plans(cell, missing), { timeoutMs: PLAN_PATIENCE_MS });
    missing.forEach((wid, index) => {
      const bytes = found[index];
      if (bytes !== undefined) plans.set(wid, known.get(wid, bytes));
    });
    return plans;
  }

  /** Inputs of the runs that jobs were granted of. */
  async #inputsFor(reply: readonly unknown[]): Promise<RunInputs> {
    const { cell, reads } = this.#options;
    const asked = new Map<string, Promise<void>>();
    const inputs: RunInputs = new Map();
    for (let i = 1; i < reply.length; i++) {
      const [, text, , , , input, , hasHead] = reply[i] as Grant;
      if (hasHead) i++;
      if (input !== false) continue;
      const { wid, step, ordinal } = parseSlice(text);
      const field = runField(wid, step, ordinal, 'i');
      if (asked.has(field)) continue;
      const read = patiently(() => reads.runInputs(cell, wid, step, ordinal), {
        timeoutMs: PLAN_PATIENCE_MS,
      });
      asked.set(
        field,
        read.then((found) => {
          if (found !== undefined) inputs.set(field, found);
        }),
      );
    }
    if (asked.size > 0) await Promise.all(asked.values());
    return inputs;
  }

  /** One that cannot be given goes back; the others of its claim are none the worse for it. */
  #give(claimant: Claimant, job: ClaimedJob): void {
    try {
      claimant.take(job);
    } catch (error) {
      const { onError, store } = this.#options;
      onError(error);
      store.release(job.wid, [job.ref, job.token, 'INTERNAL']).catch(onError);
    }
  }

  /** Gives every grant to its claimant; counts grants per ask and type group. */
  #deliver(
    asked: readonly Asked[],
    reply: readonly unknown[],
    { plans, inputs, tokens }: Found,
    claimId: string,
  ): number[][] {
    const granted: number[][] = asked.map(() => []);
    for (let i = 1; i < reply.length;) {
      const [index, text, token, attempt, cost, input, slot, hasHead] = reply[i++] as Grant;
      const view = hasHead ? readHead(reply[i++] as Buffer) : undefined;
      const { wid, step, ordinal, count } = parseSlice(text);
      const inRun = text.includes('+');
      const plan = plans.get(wid);
      const run = input === false ? inputs.get(runField(wid, step, ordinal, 'i')) : undefined;
      // It is gone: so will be its offer.
      if (plan === undefined || (input === false && run === undefined)) continue;
      const { claimant, ask, claimedAt } = asked[index] as Asked;
      const planned = plan.steps[step];
      const type = planned?.type ?? '';
      const position = ask[2].indexOf(planned?.queue ?? '');
      const group = ask[3][position] ?? 1;
      const counts = granted[index] as number[];
      counts[group] = (counts[group] ?? 0) + count;
      const unused = tokens?.unused.get(type);
      if (unused !== undefined) tokens?.unused.set(type, unused - count);
      for (let at = 0; at < count; at++) {
        claimant.credit.offered(type, claimedAt);
        this.#give(claimant, {
          ref: inRun ? jobRef(wid, step, ordinal + at) : text,
          wid,
          step,
          ordinal: ordinal + at,
          token: at === 0 ? token : tokenAfter(token, at),
          attempt,
          cost: claimant.costOn(planned?.queue ?? '', cost < 0 ? (planned?.cost ?? 1) : cost),
          input: input === false ? (run?.inputs[ordinal + at - run.from] ?? '') : input,
          slot: slot + at,
          view,
          plan,
          inRun,
          claimId,
        });
      }
      this.#options.onTouched(wid);
    }
    return granted;
  }
}
