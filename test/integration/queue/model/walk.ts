/**
 * A random walk over the scripts beside the model. Every call is made twice with the same arguments.
 *
 * A walk is a list of numbers: what to do, and choices for it, taken modulo what there is. So any part of a walk is a
 * walk, and fast-check can shrink it.
 */
import fc from 'fast-check';
import type { ScriptName, Scripts } from '../../../../coordinator/queue/gen/scripts.ts';
import { NOT_STARTED, PREPARED } from '../../../../coordinator/queue/items.ts';
import type {
  AcceptItem,
  Change,
  ClaimAsk,
  CompleteItem,
  CompletedSlice,
  JobSpec,
  ReleaseItem,
} from '../../../../coordinator/queue/items.ts';
import { keys } from '../../../../coordinator/queue/keys.ts';
import { State, isTerminal } from '../../../../sdk/common/states.ts';
import { change, ending, event, failure, flow, job, solo, step, success } from '../changes.ts';
import { LEASE_MS, OFFER_MS, expectSame, readClaim, settled } from '../world.ts';
import type { Claimed, World } from '../world.ts';
import { Model } from './model.ts';
import type { ModelJob, ModelStep, ModelWork } from './model.ts';
import { checkInvariants, snapshotOf, snapshotOfModel } from './snapshot.ts';
import type { Snapshot } from './snapshot.ts';

export type Move = readonly [kind: number, a: number, b: number, c: number];

const choice = fc.noBias(fc.nat({ max: 2 ** 20 }));
export const walks = fc.array(fc.tuple(choice, choice, choice, choice), {
  minLength: 1,
  maxLength: 80,
  size: 'max',
});

const QUEUES = ['x', 'y', 'z'];
const TENANTS = ['acme', 'globex'];
const LATER = 600_000;

interface Call {
  readonly name: ScriptName;
  readonly args: readonly unknown[];
  readonly blobs: readonly Buffer[];
}

type Step = (a: number, b: number, c: number) => Promise<void> | undefined;

interface Held {
  readonly ref: string;
  readonly token: string;
}

const NOBODY: Held = { ref: `${'0'.repeat(26)}-0-0`, token: '1.x' };

export class Walk {
  readonly #world: World;
  readonly #model = new Model();
  readonly #history: Call[] = [];
  readonly #granted: Held[] = [];
  readonly #drafts: unknown[][] = [];
  readonly #claims = new Map<string, number>();
  #before: Snapshot | undefined;

  /** Frequent moves stand there more than once. */
  readonly #moves: readonly Step[];
  readonly #agents: ReadonlySet<Step>;

  constructor(world: World) {
    this.#world = world;
    const submit = this.#submit.bind(this);
    const claim = this.#claim.bind(this);
    const complete = this.#complete.bind(this);
    const finish = this.#finish.bind(this);
    const close = this.#close.bind(this);
    const accept = this.#accept.bind(this);
    const fail = this.#fail.bind(this);
    const release = this.#release.bind(this);
    const progress = this.#progress.bind(this);
    const emit = this.#emit.bind(this);
    this.#agents = new Set([complete, accept, fail, release, progress, emit]);
    this.#moves = [
      submit,
      claim,
      accept,
      complete,
      finish,
      fail,
      release,
      progress,
      emit,
      this.#retry.bind(this),
      close,
      this.#control.bind(this),
      this.#lapse.bind(this),
      this.#stall.bind(this),
      this.#timer.bind(this),
      this.#pause.bind(this),
      this.#resume.bind(this),
      this.#replay.bind(this),
      this.#commit.bind(this),
      this.#restart.bind(this),
      this.#requeue.bind(this),
      this.#requeue.bind(this),
      submit,
      claim,
      claim,
      claim,
      complete,
      complete,
      finish,
      accept,
      this.#replay.bind(this),
    ];
  }

  async run(moves: readonly Move[]): Promise<void> {
    for (const [kind, a, b, c] of moves) {
      if (this.#model.works.size === 0) await this.#submit(a, b, c);
      const step = this.#moves[kind % this.#moves.length] as Step;
      await (this.#idles(step, a) ? this.#claim(a, b, c) : step(a, b, c));
    }
  }

  /** Agents without a job would say nothing of interest, mostly. */
  #idles(step: Step, n: number): boolean {
    return this.#agents.has(step) && n % 8 > 0 && this.#model.liveJobs().length === 0;
  }

  /** Makes the call twice, and holds answers and Redis against the model. */
  async #call<N extends ScriptName>(
    name: N,
    args: Scripts[N]['args'],
    blobs: readonly Buffer[] = [],
  ): Promise<void> {
    const { scripts, cell } = this.#world;
    const expected = [this.#model.handle(name, args)];
    const first = answerOf(name, await scripts.call(name, cell, args, blobs));
    expectSame(first, expected[0], `first answer of ${name}`);
    const dump = await this.#world.dump();
    const snapshot = snapshotOf(dump, cell);
    expectSame(snapshot, snapshotOfModel(this.#model), `Redis after ${name}`);
    checkInvariants(snapshot, this.#before);
    this.#before = snapshot;
    if (name === 'claim')
      this.#granted.push(...(first as Claimed).grants.map(({ ref, token }) => ({ ref, token })));

    expected.push(this.#model.handle(name, args));
    const second = answerOf(name, await scripts.call(name, cell, args, blobs));
    expectSame(second, expected[1], `second answer of ${name}`);
    expectSame(settled(await this.#world.dump(), cell), settled(dump, cell), `Redis after a second ${name}`);
  }

  #remembered<N extends ScriptName>(
    name: N,
    args: Scripts[N]['args'],
    blobs: readonly Buffer[] = [],
  ): Promise<void> {
    this.#history.push({ name, args, blobs });
    return this.#call(name, args, blobs);
  }

  #origin(n: number): string {
    return `c${n % 2}`;
  }

  /** Mostly what is held; sometimes with a token nobody has, or whatever was ever granted, or nothing that ever was. */
  #holder(n: number): Held {
    const live = this.#model.liveJobs();
    if (n % 6 === 0 && live.length > 0)
      return { ref: (live[n % live.length] as ModelJob).ref, token: 'ff.x' };
    if (n % 5 > 0 && live.length > 0) return live[n % live.length] as ModelJob;
    if (n % 7 === 0 || this.#granted.length === 0) return NOBODY;
    return this.#granted[n % this.#granted.length] as Held;
  }

  #open(n: number, wanted: (work: ModelWork) => boolean = () => true): ModelWork | undefined {
    const works = [...this.#model.works.values()].filter((work) => !isTerminal(work.state) && wanted(work));
    return works[n % works.length];
  }

  // ── consumers ──

  #submit(a: number, b: number, c: number): Promise<void> {
    const wid = this.#world.wid(`w${a % 8}`);
    const jobs: JobSpec[] = Array.from({ length: 1 + (b % 6) }, (_, slot) =>
      job({
        slot,
        queue: QUEUES[b % 3] as string,
        band: c % 3,
        cost: 1 + (a % 5) / 2,
        input: `"${a % 9}"`,
        delayMs: c % 7 === 0 ? LATER : 0,
        queueTimeoutMs: c % 4 === 0 ? LATER : 0,
      }),
    );
    if (c % 3 === 0) {
      const made = solo(wid, {
        queue: QUEUES[b % 3] as string,
        band: b % 2 === 0 ? c % 3 : a % 3,
        cost: 1 + (a % 5) / 2,
        tenant: TENANTS[a % 2] as string,
        weight: 1000 * (1 + (a % 2)),
      });
      made.item[4] = 2;
      return this.#remembered(
        'submit',
        [this.#world.nextTag(), this.#origin(a), [], [], [], [made.item]],
        [made.plan],
      );
    }
    const run = a % 7 === 0 ? 2 + (b % 6) : Array.from({ length: 1 + (b % 7) }, (_, i) => `"${i}.${a % 9}"`);
    const made = flow(wid, {
      steps: b % 2 === 0 ? [0] : [0, 1],
      jobs,
      ...(a % 3 === 0 ? { run, queue: QUEUES[b % 3] as string, band: c % 3, cost: 1 + (a % 5) / 2 } : {}),
      tenant: TENANTS[c % 2] as string,
      weight: 1000 * (1 + (c % 2)),
      expireMs: a % 3 === 0 ? LATER : 0,
    });
    made.item[4] = 2;
    return this.#remembered('submit', [this.#world.nextTag(), this.#origin(a), [made.item], []], [made.plan]);
  }

  #control(a: number, b: number): Promise<void> {
    const wid =
      a % 9 === 0
        ? this.#world.wid('nobody')
        : ([...this.#model.works.keys()][a % this.#model.works.size] as string);
    return this.#remembered('control', [
      this.#world.nextTag(),
      this.#origin(b),
      wid,
      TENANTS[b % 2] as string,
      `word ${b}`,
    ]);
  }

  /** Mostly by what is so; sometimes by what was. */
  #requeue(a: number, b: number, c: number): Promise<void> {
    const jobs = [...this.#model.jobs.values()];
    const found = a % 11 === 0 ? undefined : jobs[b % jobs.length];
    const seen = found === undefined || found.hold > 0 ? found?.token : found.member.slice(0, 10);
    return this.#remembered('requeue', [
      this.#world.nextTag(),
      this.#origin(a),
      found?.ref ?? NOBODY.ref,
      c % 7 === 0 ? 'ff.x' : (seen ?? ''),
      c % 2,
      `word ${b}`,
    ]);
  }

  // ── agents ──

  #claim(a: number, b: number, c: number): Promise<void> {
    const origin = this.#origin(a);
    const number = (this.#claims.get(origin) ?? 0) + 1;
    this.#claims.set(origin, number);
    const asks = Array.from({ length: 1 + (b % 3) }, (_, i): ClaimAsk => {
      const alike = a % 5 === 0;
      const classes = QUEUES.filter((_, q) => (alike ? q === c % 3 : ((c >> q) + i) % 3 !== 0));
      const groups = classes.map((_, at) => ((b + at) % 2 === 0 ? 1 : Math.min(2, classes.length)));
      const alone = classes.flatMap((_, at) => ((a + at) % 4 === 0 ? [at + 1] : []));
      return [`agent${(a + i) % 4}`, 1 + ((b + i) % 4), classes, groups, [c % 6, 1 + (b % 3)], alone];
    });
    return this.#call('claim', [
      this.#world.nextTag(),
      origin,
      number,
      `r${a}`,
      OFFER_MS,
      c % 2,
      asks,
      b % 3 === 0 ? 0 : LATER,
    ]);
  }

  #accept(a: number, b: number, c: number): Promise<void> {
    const items = [a, b].slice(0, 1 + (c % 2)).map((n): AcceptItem => {
      const { ref, token } = this.#holder(n);
      if (c % 7 === 0) return [ref, token, PREPARED, 0, '{"model":"m"}'];
      return [ref, token, c % 3 === 0 ? NOT_STARTED : 10, n % 2 === 0 ? LATER : 0];
    });
    return this.#remembered('accept', [this.#world.nextTag(), this.#origin(b), LEASE_MS, items]);
  }

  #progress(a: number, b: number): Promise<void> {
    const { ref, token } = this.#holder(a);
    const item: [string, string, number, string] = [ref, token, (b % 9) / 8, b % 2 === 0 ? '' : 'busy'];
    return this.#remembered('progress', [this.#world.nextTag(), this.#origin(b), LEASE_MS, [item]]);
  }

  #release(a: number, b: number): Promise<void> {
    const { ref, token } = this.#holder(a);
    return this.#remembered('release', [this.#world.nextTag(), this.#origin(b), [[ref, token, 'BUSY']]]);
  }

  /** Agents come back and name some of what they held. */
  async #restart(a: number, b: number): Promise<void> {
    const agents = [`agent${a % 4}`, `agent${b % 4}`];
    const items: ReleaseItem[] = [];
    for (const where of ['o', 'l'] as const) {
      await this.#call('holders', [where, '0', 128]);
      this.#model
        .liveJobs()
        .filter(({ hold, agent }) => hold === (where === 'o' ? 1 : 2) && agents.includes(agent))
        .forEach(({ ref, token }, at) => (b + at) % 3 === 0 && items.push([ref, token, 'AGENT_RESTARTED']));
    }
    await this.#remembered('release', [this.#world.nextTag(), this.#origin(b), items]);
  }

  #complete(a: number, b: number, c: number): Promise<void> {
    const slice = this.#sliceOf(a, b);
    if (slice !== undefined && c % 2 === 0)
      return this.#remembered('complete', [this.#world.nextTag(), this.#origin(b), [], [], [slice]]);
    const items = [a, b].slice(0, 1 + (c % 2)).map((n) => this.#success(this.#holder(n), n, c));
    return this.#remembered('complete', [this.#world.nextTag(), this.#origin(b), items]);
  }

  /** Successes of jobs of one run that were claimed in one call; some ended already, perhaps, or left the run. */
  #sliceOf(a: number, b: number): CompletedSlice | undefined {
    const live = this.#model.liveJobs().filter(({ run }) => run !== undefined);
    if (live.length === 0) return undefined;
    const { run, token, work, step } = live[a % live.length] as ModelJob;
    const random = token.slice(token.indexOf('.') + 1);
    const others = [...this.#model.jobs.values()].filter(
      (job) =>
        job.work === work &&
        job.step === step &&
        job.token.endsWith(`.${random}`) &&
        (b % 3 === 0 || job.run === run),
    );
    const chosen = others.filter((_, i) => b % 5 > 0 || i % 2 === 0);
    if (chosen.length === 0) return undefined;
    const fences = chosen.map((job) => Number.parseInt(job.token, 16) + (b % 11 === 0 ? 1 : 0));
    return [
      work.wid,
      step,
      chosen.map(({ ordinal }) => ordinal),
      fences,
      b % 13 === 0 ? `${random}x` : random,
      chosen.map((_, i) => `"${i}"`),
      chosen.map(() => 5),
      chosen.map((_, i) => i),
    ];
  }

  /** Decided ahead where it can be, sometimes from a view that is no longer good. */
  #success(held: Held, n: number, c: number): CompleteItem {
    const found = this.#model.jobs.get(held.ref);
    if (found === undefined || c % 3 === 0) return success(held, `"${n}"`);
    const { work } = found;
    const at = work.steps[found.step] as ModelStep;
    if (at.open !== 1 || at.fails.length > 0 || at.close !== 0 || work.closing !== 0)
      return success(held, `"${n}"`);
    return success(held, `"${n}"`, {
      version: work.ver - (c % 5 === 0 ? 1 : 0),
      facts: work.facts + (c % 4 === 1 ? 1 : 0),
      change: wellEnded(work, found.step, c),
      seen: [...work.dirty, found.step],
    });
  }

  #fail(a: number, b: number, c: number): Promise<void> {
    const items = [a, b]
      .slice(0, 1 + (c % 2))
      .map((n) => failure(this.#holder(n), `R${n % 3}`, n % 2 === 0, n % 5 === 0 ? 'a likeness' : ''));
    return this.#remembered('complete', [this.#world.nextTag(), this.#origin(b), items]);
  }

  #emit(a: number, b: number, c: number): Promise<void> {
    const { ref, token } = this.#holder(a);
    const batch = (this.#model.jobs.get(ref)?.emitBatch ?? 0) + (b % 3);
    const inputs = Array.from({ length: 1 + (c % 2) }, (_, i) => `"${i}"`);
    return this.#remembered('emit', [this.#world.nextTag(), this.#origin(b), [[ref, token, batch, inputs]]]);
  }

  // ── decisions ──

  /** At once, or later: then facts or other decisions may have come between. */
  #decide(work: ModelWork, made: Change, c: number): Promise<void> | undefined {
    const seen = work.dirty.filter((index) => !made[5].includes(index));
    const item = [work.wid, work.ver, work.facts, made, seen];
    if (c % 3 === 0) {
      this.#drafts.push(item);
      return undefined;
    }
    return this.#remembered('decide', [this.#world.nextTag(), this.#origin(c), [item as never]]);
  }

  #commit(a: number): Promise<void> | undefined {
    const item = this.#drafts.shift();
    return item && this.#remembered('decide', [this.#world.nextTag(), this.#origin(a), [item as never]]);
  }

  #finish(a: number, b: number, c: number): Promise<void> | undefined {
    const ready = (at: ModelStep): boolean =>
      !isTerminal(at.state) && at.total >= 0 && at.open === 0 && at.fails.length === 0 && at.close === 0;
    const work = this.#open(a, ({ closing, steps }) => closing === 0 && steps.some(ready));
    return work && this.#decide(work, wellEnded(work, work.steps.findIndex(ready), b), c);
  }

  #retry(a: number, b: number, c: number): Promise<void> | undefined {
    const work = this.#open(
      a,
      ({ closing, steps }) => closing === 0 && steps.some(({ fails }) => fails.length > 0),
    );
    if (work === undefined) return undefined;
    const index = work.steps.findIndex(({ fails }) => fails.length > 0);
    const { fails } = work.steps[index] as ModelStep;
    const jobs = fails.map(([ordinal, , , , attempt, slot]) =>
      job({
        step: index,
        slot: slot as number,
        queue: QUEUES[b % 3] as string,
        attempt: (attempt as number) + 1,
        replaces: ordinal as number,
        delayMs: b % 2 === 0 ? LATER : 0,
        queueTimeoutMs: b % 5 === 0 ? LATER : 0,
      }),
    );
    return this.#decide(work, change({ steps: [step(index, { failsSeen: fails.length })], jobs }), c);
  }

  /** Ends a workflow, two jobs of each step at a time. */
  #close(a: number, b: number, c: number): Promise<void> | undefined {
    const work = this.#open(a, ({ closing, cancel }) => closing !== 0 || cancel !== 0 || b % 4 === 0);
    if (work === undefined) return undefined;
    const made = change({ workflow: [0, 'CANCELED', 'no more', -1, State.canceled] });
    let open = work.openSteps;
    work.steps.forEach((at, index) => {
      if (isTerminal(at.state)) return;
      const to = Math.min(at.nextJob, at.closePos + 2);
      if (to > at.closePos)
        made[3].push([index, at.closePos, to, 'CANCELED', b % 2 === 0 ? State.skipped : State.canceled]);
      if (to < at.nextJob) {
        made[1].push(step(index, { close: State.canceled, closePos: to }));
        made[5].push(index);
      } else {
        made[1].push(
          step(index, { state: State.canceled, closePos: to, reason: 'CANCELED', message: 'no more' }),
        );
        made[4].push(event('step.canceled', index, State.canceled));
        open--;
      }
    });
    if (open === 0) {
      (made[0] as unknown[])[0] = State.canceled;
      made[4].push(event('workflow.canceled', -1, State.canceled));
    }
    return this.#decide(work, made, c);
  }

  #pause(a: number, b: number): Promise<void> | undefined {
    const work = this.#open(a, ({ state }) => state !== State.paused);
    return (
      work &&
      this.#decide(
        work,
        change({ workflow: ending(State.paused), events: [event('workflow.paused')] }),
        b * 3 + 1,
      )
    );
  }

  async #resume(a: number, b: number): Promise<void> {
    const work = this.#open(a, ({ state }) => state === State.paused);
    if (work === undefined) return;
    if (b % 4 > 0)
      await this.#decide(
        work,
        change({ workflow: ending(State.processing), events: [event('workflow.resumed')] }),
        b * 3 + 1,
      );
    await this.#call('unpark', [this.#world.nextTag(), this.#origin(b), `wf:${work.wid}`, 1000]);
  }

  // ── time ──

  async #pass(key: string, entries: Map<string, boolean>, a: number, b: number): Promise<boolean> {
    const members = [...entries.keys()];
    if (members.length === 0) return false;
    const chosen = new Set([a, b].map((n) => members[n % members.length] as string));
    const entryOf = (member: string): string =>
      entries === this.#model.offers ? this.#model.offerEntry(member) : member;
    for (const member of chosen) {
      const entry = entryOf(member);
      await this.#world.makeDue(key, entry);
      for (const other of members) if (entryOf(other) === entry) entries.set(other, true);
    }
    return true;
  }

  async #due(key: string, entries: Map<string, boolean>, a: number, b: number, c: number): Promise<void> {
    if (await this.#pass(key, entries, a, b))
      await this.#call('due', [this.#world.nextTag(), this.#origin(c), 64, 0, OFFER_MS]);
  }

  #lapse(a: number, b: number, c: number): Promise<void> {
    return this.#due(keys.offers(this.#world.cell), this.#model.offers, a, b, c);
  }

  async #timer(a: number, b: number, c: number): Promise<void> {
    // Offers lapse in the same call, now and then.
    if (c % 3 === 0) await this.#pass(keys.offers(this.#world.cell), this.#model.offers, a, b);
    await this.#due(keys.timers(this.#world.cell), this.#model.timers, a, b, c);
  }

  async #stall(a: number, b: number, c: number): Promise<void> {
    if (!(await this.#pass(keys.leases(this.#world.cell), this.#model.leases, a, b))) return;
    const refs = [...this.#model.leases.keys()].filter((_, at) => (b + at) % 2 === 0);
    const notes = Object.fromEntries(refs.map((ref): [string, [string, string]] => [ref, ['{}', 'busy']]));
    const times = [LEASE_MS, 60_000, 15_000, 2, 64] as const;
    await this.#call('sweep', [this.#world.nextTag(), this.#origin(c), ...times, notes]);
  }

  /** Whatever was once called comes again. */
  #replay(a: number): Promise<void> | undefined {
    const old = this.#history[a % this.#history.length];
    return old && this.#call(old.name, old.args as never, old.blobs);
  }
}

/** A step that ends well, and what that lets start or ends. */
function wellEnded(work: ModelWork, index: number, n: number): Change {
  const made = change({
    steps: [step(index, { state: State.succeeded })],
    events: [event('step.succeeded', index, State.succeeded)],
  });
  const next = work.steps.findIndex((at, other) => other !== index && at.needs > 0 && !isTerminal(at.state));
  if (next >= 0 && index === 0) {
    const jobs = 1 + (n % 3);
    made[1].push(step(next, { needs: 0, total: jobs, emitted: jobs }));
    for (let slot = 0; slot < jobs; slot++)
      made[2].push(job({ step: next, slot, queue: QUEUES[n % 3] as string, band: n % 3 }));
  } else if (work.openSteps === 1) {
    made[0] = ending(State.succeeded);
    made[4].push(event('workflow.succeeded', -1, State.succeeded));
  }
  return made;
}

/** Answers without what the model does not say. */
function answerOf(name: ScriptName, reply: unknown): unknown {
  if (name === 'claim') {
    const { short, left, grants } = readClaim(reply as unknown[]);
    return {
      short,
      left: [...new Set(left.map((pair) => pair.join(' ')))].toSorted(),
      grants: grants.map(({ ask, ref, token, attempt, cost, input, slot }) => ({
        ask,
        ref,
        token,
        attempt,
        cost,
        input,
        slot,
      })),
    };
  }
  if (name === 'holders') {
    const [cursor, now, held] = reply as Scripts['holders']['returns'];
    expectSame(cursor, '0', 'a short set is read in one page');
    expectSame(
      held.filter(([, , , claimedAt]) => claimedAt === 0 || claimedAt > now),
      [],
      'times of claims',
    );
    return held.map(([ref, token, agent]) => `${ref} ${token} ${agent}`).toSorted();
  }
  if (name === 'due') {
    const [lapsed, todo, more] = reply as [unknown[], string[], number];
    return [lapsed, todo.toSorted(), more];
  }
  return reply;
}
