/**
 * The queue as plain objects: what the scripts must do, written down a second time and naively.
 *
 * `handle` takes a script's name and arguments and gives the answer the script must give. Times are left out: an
 * entry of offers, leases or timers is due only where the walk made it so.
 */
import type {
  AcceptItem,
  CancelRange,
  Change,
  ClaimAsk,
  CompleteItem,
  CompletedSlice,
  DecideItem,
  EmitItem,
  JobSpec,
  LogEvent,
  ProgressItem,
  ReleaseItem,
  RunSpec,
  SoloItem,
  StallNotes,
  StepChange,
  SubmitItem,
  Told,
  WorkflowChange,
} from '../../../../coordinator/queue/items.ts';
import { PREPARED } from '../../../../coordinator/queue/items.ts';
import { RUN_JOBS } from '../../../../coordinator/queue/records.ts';
import { EventCode } from '../../../../sdk/common/events.ts';
import type { EventType } from '../../../../sdk/common/events.ts';
import { State, isTerminal } from '../../../../sdk/common/states.ts';
import { endOfAll } from '../changes.ts';
import type { Claimed } from '../world.ts';

const BAND = 2 ** 50;

type Reply = 'ok' | 'done' | 'lost';

export interface ModelJob {
  readonly ref: string;
  readonly work: ModelWork;
  readonly step: number;
  readonly ordinal: number;
  state: number;
  slot: number;
  queue: string;
  band: number;
  score: number;
  member: string;
  cost: number;
  token: string;
  agent: string;
  hold: number;
  claims: number;
  recoveries: number;
  attempt: number;
  started: boolean;
  input: string;
  output: string;
  reason: string;
  message: string;
  progress: number;
  progressSource: number;
  replaces: number;
  claimed: boolean;
  agents: string;
  /** [attempt, agent, end, reason, started] */
  history: unknown[][];
  blocked: string;
  runMs: number;
  emitBatch: number;
  /** The run it is in: nothing but a claim has happened to it. */
  run: string | undefined;
  /** While it is held as a part of a run: its entry among the offers. */
  slice: string;
}

export interface ModelStep {
  state: number;
  needs: number;
  total: number;
  emitted: number;
  nextJob: number;
  open: number;
  ok: number;
  bad: number;
  reason: string;
  message: string;
  close: number;
  closePos: number;
  fails: unknown[][];
}

export interface ModelWork {
  readonly wid: string;
  readonly tenant: string;
  readonly weight: number;
  readonly requestId: string;
  readonly steps: ModelStep[];
  readonly events: LogEvent[];
  /** On the plain way: its success ends it without a decision. */
  solo: boolean;
  ver: number;
  facts: number;
  state: number;
  reason: string;
  message: string;
  failedStep: number;
  cancel: number;
  cancelMessage: string;
  closing: number;
  dirty: number[];
  openSteps: number;
  okSteps: number;
}

interface Kept {
  readonly number: number;
  readonly grants: readonly { ask: number; ref: string; token: string }[];
}

export class Model {
  readonly works = new Map<string, ModelWork>();
  readonly jobs = new Map<string, ModelJob>();
  /** class → member → score */
  readonly queues = new Map<string, Map<string, number>>();
  /** `wf:<wid>` → `member|class` → score */
  readonly parked = new Map<string, Map<string, number>>();
  /** ref or timer → due? */
  readonly offers = new Map<string, boolean>();
  readonly leases = new Map<string, boolean>();
  readonly timers = new Map<string, boolean>();
  readonly todo = new Set<string>();
  fence = 0;
  sequence = 0;
  wasted = 0;
  readonly #clocks = new Map<string, Map<string, number>>();
  readonly #kept = new Map<string, Kept>();

  handle(name: string, args: readonly unknown[]): unknown {
    switch (name) {
      case 'submit':
        return [
          ...(args[2] as SubmitItem[]).map((item) => this.#submit(item)),
          ...((args[5] as SoloItem[] | undefined) ?? []).map((item) => this.#submitSolo(item)),
        ];
      case 'claim':
        return this.#claim(
          args[1] as string,
          args[2] as number,
          args[3] as string,
          args[6] as ClaimAsk[],
          (args[7] as number) > 0,
        );
      case 'accept':
        return (args[3] as AcceptItem[]).map((item) => this.#accept(item));
      case 'progress':
        return (args[3] as ProgressItem[]).map((item) => this.#progress(item));
      case 'release':
        return (args[2] as ReleaseItem[]).map(([ref, token, reason]) =>
          this.#ifHeld(ref, token, (job) => this.#requeue(job, 'job.released', reason, 'released')),
        );
      case 'complete':
        return [
          [
            ...(args[2] as CompleteItem[]).map((item) => this.#complete(item)),
            ...((args[4] as CompletedSlice[] | undefined) ?? []).flatMap((slice) =>
              this.#completeSlice(slice),
            ),
          ],
          [],
        ];
      case 'emit':
        return (args[2] as EmitItem[]).map((item) => this.#emit(item));
      case 'decide': {
        const told: Told[] = [];
        return [(args[2] as DecideItem[]).map((item) => this.#decide(item, told)), told];
      }
      case 'control':
        return this.#control(args[2] as string, args[3] as string, args[4] as string);
      case 'due':
        return this.#due();
      case 'requeue':
        return this.#putBack(args[2] as string, args[3] as string, args[4] === 1, args[5] as string);
      case 'sweep':
        return this.#sweep(args[5] as number, args[7] as StallNotes);
      case 'holders': {
        const [where] = args as [string];
        return this.liveJobs()
          .filter(({ hold }) => hold === (where === 'o' ? 1 : 2))
          .map(({ ref, token, agent }) => `${ref} ${token} ${agent}`)
          .toSorted();
      }
      case 'unpark':
        return this.#unpark(args[2] as string);
      default:
        throw new Error(`The model knows no ${name}.`);
    }
  }

  /** Under which name it stands among the offers. */
  offerEntry(ref: string): string {
    const { run, slice } = this.#job(ref);
    return run === undefined ? ref : slice;
  }

  liveJobs(): ModelJob[] {
    return [...this.jobs.values()].filter(({ hold }) => hold > 0);
  }

  entries(queue: string): { member: string; score: number }[] {
    return [...(this.queues.get(queue) ?? [])]
      .map(([member, score]) => ({ member, score }))
      .sort((a, b) => a.score - b.score || (a.member < b.member ? -1 : 1));
  }

  // ── submit ──

  #submit([wid, tenant, weight, requestId, , steps, , change, expireMs]: SubmitItem): unknown {
    if (this.works.has(wid)) return ['exists', 0];
    const work: ModelWork = {
      wid,
      tenant,
      weight,
      requestId,
      steps: steps.map((needs) => freshStep(needs)),
      events: [[EventCode['workflow.created'], -1, -1, State.unassigned]],
      solo: false,
      ver: 0,
      facts: 0,
      state: State.unassigned,
      reason: '',
      message: '',
      failedStep: -1,
      cancel: 0,
      cancelMessage: '',
      closing: 0,
      dirty: [],
      openSteps: steps.length,
      okSteps: 0,
    };
    this.works.set(wid, work);
    this.#apply(work, change as Change, []);
    if (expireMs > 0 && !isTerminal(work.state)) this.timers.set(`expire|${wid}`, false);
    return ['created', work.events.length];
  }

  #submitSolo([wid, tenant, weight, requestId, plan, watch, queue, band, cost]: SoloItem): unknown {
    if (this.works.has(wid)) return ['exists', 0];
    const change: Change = [
      false,
      [[0, 0, -1, 1, 1, '', '', -1, -1, 0]],
      [[0, 0, queue, band, cost, '', 1, -1, 0, 0]],
      [],
      [[EventCode['step.ready'], 0, -1, State.unassigned]],
      [],
    ];
    const reply = this.#submit([wid, tenant, weight, requestId, plan, [0], watch, change, 0]);
    (this.works.get(wid) as ModelWork).solo = true;
    return reply;
  }

  // ── claims ──

  #claim(origin: string, number: number, random: string, asks: ClaimAsk[], avoid: boolean): unknown {
    const kept = this.#kept.get(origin);
    if (kept?.number === number) {
      const live = kept.grants.filter(({ ref, token }) => this.#held(ref, token) === 'ok');
      return {
        short: [],
        left: [],
        grants: live.map((grant) => this.#grant(grant.ask, this.#job(grant.ref))),
      };
    }
    const left = asks.map(([, jobs]) => jobs);
    const limits = asks.map(([, , , , limit]) => [...limit]);
    const open = new Set(asks.keys());
    const taken = new Set<string>();
    const reached = new Map<string, number>();
    /** Entries some ask left to others, by class; how many of a class were; who will look no further there. */
    const passed = new Map<string, Set<string>>();
    const looked = new Map<string, number>();
    const barred = new Set<string>();
    const leaves = new Set<string>();
    const grants: { ask: number; ref: string; token: string }[] = [];
    const dealt = new Map<string, { readonly jobs: ModelJob[]; readonly shares: number[] }>();
    const give = (a: number, job: ModelJob): void => {
      const [agent] = asks[a] as ClaimAsk;
      const { work } = job;
      this.fence++;
      job.token = `${this.fence.toString(16)}.${random}`;
      job.agent = agent;
      job.hold = 1;
      job.claims++;
      job.claimed = true;
      job.state = State.scheduled;
      this.offers.set(job.ref, false);
      const step = work.steps[job.step] as ModelStep;
      if (step.state < State.scheduled) step.state = State.scheduled;
      if (work.state < State.scheduled) work.state = State.scheduled;
      this.#say(work, 'job.claimed', job, State.scheduled, [agent]);
      grants.push({ ask: a, ref: job.ref, token: job.token });
    };
    while (open.size > 0) {
      for (const a of [...open]) {
        const [agent, , classes, groups] = asks[a] as ClaimAsk;
        const limit = limits[a] as number[];
        const allowed = classes.filter((_, c) => (limit[(groups[c] as number) - 1] as number) > 0);
        const shuns = (queue: string, job: ModelJob): boolean =>
          avoid &&
          job.agents.split(',').includes(agent) &&
          !(asks[a]?.[5] ?? []).includes(classes.indexOf(queue) + 1);
        const heads = allowed.flatMap((queue) => {
          const behind = passed.get(queue);
          const head = this.entries(queue).find(({ member }) =>
            behind?.has(member) === true
              ? !shuns(queue, this.#job(member.slice(11)))
              : !barred.has(`${a} ${queue}`),
          );
          return head === undefined ? [] : [{ queue, ...head }];
        });
        const best = left[a] === 0 ? undefined : bestOf(heads);
        if (best === undefined) {
          open.delete(a);
          continue;
        }
        const { queue, member, score } = best;
        const job = this.jobs.get(member.slice(11));
        if (
          job?.state === State.unassigned &&
          job.member === member &&
          job.work.closing === 0 &&
          job.work.state !== State.paused &&
          shuns(queue, job)
        ) {
          leaves.add(`${a} ${classes.indexOf(queue)}`);
          const count = looked.get(queue) ?? 0;
          looked.set(queue, count + 1);
          if (count >= 16) barred.add(`${a} ${queue}`);
          else if (passed.has(queue)) passed.get(queue)?.add(member);
          else passed.set(queue, new Set([member]));
          continue;
        }
        this.queues.get(queue)?.delete(member);
        passed.get(queue)?.delete(member);
        taken.add(queue);
        const work = job?.work;
        if (
          job === undefined ||
          work === undefined ||
          job.state !== State.unassigned ||
          job.hold !== 0 ||
          job.member !== member
        )
          continue;
        // A run is dropped or parked whole.
        const others = this.entries(queue).filter(
          (entry) => job.run !== undefined && this.#job(entry.member.slice(11)).run === job.run,
        );
        if (isTerminal(work.state) || work.closing !== 0) {
          for (const entry of others) this.queues.get(queue)?.delete(entry.member);
          continue;
        }
        if (work.state === State.paused) {
          for (const entry of [{ member, score }, ...others]) {
            this.queues.get(queue)?.delete(entry.member);
            inner(this.parked, `wf:${work.wid}`).set(`${entry.member}|${queue}`, entry.score);
          }
          continue;
        }
        if (job.run === undefined) give(a, job);
        else {
          // Jobs of a run are shared out at the end: as many to each as it was dealt, one after the other.
          const run = dealt.get(job.run) ?? { jobs: [], shares: [] };
          dealt.set(job.run, run);
          run.jobs.push(job);
          run.shares[a] = (run.shares[a] ?? 0) + 1;
        }
        const low = Math.floor(score / BAND);
        const lane = `${queue} ${2 - low}`;
        reached.set(lane, Math.max(reached.get(lane) ?? 0, score - low * BAND));
        left[a] = (left[a] as number) - 1;
        const group = (groups[classes.indexOf(queue)] as number) - 1;
        limit[group] = (limit[group] as number) - 1;
      }
    }
    for (const { jobs, shares } of dealt.values()) {
      let next = 0;
      asks.forEach((_, a) => {
        const mine = jobs.slice(next, next + (shares[a] ?? 0));
        next += mine.length;
        for (const slice of inARow(mine)) {
          const [{ work, step, ordinal }] = slice as [ModelJob];
          for (const job of slice) {
            job.slice = `${work.wid}-${step}-${ordinal}+${slice.length}`;
            give(a, job);
          }
        }
      });
    }
    for (const queue of taken) {
      if (this.entries(queue).length === 0) this.#clocks.delete(queue);
      else {
        for (const [at, virtual] of reached) {
          const [name, band] = at.split(' ') as [string, string];
          if (name === queue && virtual > this.#clock(queue, `V${band}`))
            inner(this.#clocks, queue).set(`V${band}`, virtual);
        }
      }
    }
    if (grants.length > 0) this.#kept.set(origin, { number, grants });
    return {
      short: left,
      left: [...leaves].toSorted(),
      grants: grants.map(({ ask, ref }) => this.#grant(ask, this.#job(ref))),
    };
  }

  #grant(ask: number, job: ModelJob): Partial<Claimed['grants'][0]> {
    const { ref, token, attempt, slot } = job;
    // That of a run's job stands beside the run.
    const input = job.run === undefined || job.input === '' ? job.input : undefined;
    // That of a solo record stands in its plan.
    return { ask, ref, token, attempt, cost: job.work.solo ? -1 : job.cost, input, slot };
  }

  // ── facts ──

  #held(ref: string, token: string): Reply {
    const job = this.jobs.get(ref);
    if (job === undefined || token === '' || job.token !== token) return 'lost';
    if (isTerminal(job.state)) return 'done';
    return job.hold === 0 ? 'lost' : 'ok';
  }

  #ifHeld(ref: string, token: string, then: (job: ModelJob) => void): Reply {
    const live = this.#held(ref, token);
    if (live === 'ok') {
      this.#job(ref).work.solo = false;
      this.#job(ref).run = undefined;
      then(this.#job(ref));
    }
    return live;
  }

  #accept([ref, token, age, timeoutMs, note = '']: AcceptItem): Reply {
    return this.#ifHeld(ref, token, (job) => {
      this.#lease(job);
      if (age === PREPARED && job.state < State.processing && job.message !== note) {
        job.message = note;
        job.state = State.preparing;
        this.#say(job.work, 'job.preparing', job, State.preparing, [job.agent, '', '', note]);
      }
      if (age < 0) return;
      this.#start(job);
      if (timeoutMs > 0) this.timers.set(`attempt|${ref}|${token}`, false);
    });
  }

  #progress([ref, token, fraction, message]: ProgressItem): Reply {
    return this.#ifHeld(ref, token, (job) => {
      this.#start(job);
      this.#lease(job);
      if (fraction <= job.progress) return;
      job.progress = fraction;
      job.progressSource = 2;
      this.#say(job.work, 'job.progress', job, State.processing, [job.agent, '', message, fraction]);
    });
  }

  #complete([
    ref,
    token,
    state,
    output,
    reason,
    message,
    retryable,
    ,
    runMs,
    ver,
    facts,
    change,
    seen,
    blocked = '',
  ]: CompleteItem): unknown {
    const live = this.#held(ref, token);
    if (live === 'lost') this.wasted++;
    if (live !== 'ok') return [live, 0, 0, this.jobs.get(ref)?.work.state ?? 0];
    const job = this.#job(ref);
    const { work } = job;
    // Nobody needs the input of a job that has succeeded: it goes with its run.
    if (job.run !== undefined && state === State.succeeded) job.input = '';
    job.run = undefined;
    if (work.solo && state === State.succeeded) {
      this.#start(job);
      job.runMs = runMs;
      this.#finish(job, state, output, '', '');
      this.#apply(work, endOfAll(), []);
      return ['ok', 1, 0, work.state];
    }
    work.solo = false;
    const ahead = change !== false && work.ver === ver && work.facts === facts && state === State.succeeded;
    this.#start(job);
    job.runMs = runMs;
    let undecided = 0;
    if (state === State.succeeded) {
      const step = this.#finish(job, state, output, '', '');
      if (ahead) {
        this.#apply(work, change as Change, []);
        this.#settle(work, seen, work.facts);
      } else if (step.open === 0 || step.close !== 0) {
        this.#needDecision(work, job.step);
        undecided = 1;
      }
    } else {
      job.blocked = blocked;
      this.#fail(job, state, reason, message, retryable === 1);
      undecided = 1;
    }
    return ['ok', ahead ? 1 : 0, undecided, work.state];
  }

  /** As many successes; of those that are a row of one claim all starts are said first, unless the last of the step is among them. */
  #completeSlice([wid, index, ordinals, fences, random, outputs, , runMs]: CompletedSlice): unknown[] {
    const replies: unknown[] = [];
    const jobAt = (i: number): ModelJob | undefined => this.jobs.get(`${wid}-${index}-${ordinals[i]}`);
    const tokenAt = (i: number): string => `${(fences[i] as number).toString(16)}.${random}`;
    for (let i = 0; i < ordinals.length;) {
      const first = jobAt(i);
      const row: ModelJob[] = [];
      for (let k = i; k < ordinals.length; k++) {
        const job = jobAt(k);
        if (job?.run === undefined || job.hold !== 1 || job.token !== tokenAt(k)) break;
        if (job.slice !== first?.slice || job.ordinal !== first.ordinal + row.length) break;
        row.push(job);
      }
      const step = first?.work.steps[index] as ModelStep;
      if (first === undefined || row.length === 0 || step.close !== 0 || step.open <= row.length) {
        const ref = `${wid}-${index}-${ordinals[i]}`;
        const item: CompleteItem = [
          ref,
          tokenAt(i),
          State.succeeded,
          outputs[i] as string,
          '',
          '',
          0,
          0,
          runMs[i] as number,
          0,
          0,
          false,
          [],
        ];
        replies.push(this.#complete(item));
        i++;
        continue;
      }
      for (const job of row) this.#start(job);
      row.forEach((job, k) => {
        job.input = '';
        job.run = undefined;
        job.runMs = runMs[i + k] as number;
        this.#finish(job, State.succeeded, outputs[i + k] as string, '', '');
        replies.push(['ok', 0, 0, job.work.state]);
      });
      i += row.length;
    }
    return replies;
  }

  #emit([ref, token, batch, inputs]: EmitItem): Reply {
    let reply = this.#held(ref, token);
    if (reply !== 'ok') return reply;
    const job = this.#job(ref);
    if (batch <= job.emitBatch) reply = 'done';
    else {
      job.emitBatch = batch;
      job.work.solo = false;
      job.run = undefined;
      const step = job.work.steps[job.step] as ModelStep;
      const first = step.total;
      step.total += inputs.length;
      step.emitted += inputs.length;
      job.work.ver++;
      inputs.forEach((input, i) => {
        this.#newJob(job.work, [job.step, first + i, job.queue, job.band, job.cost, input, 1, -1, 0, 0]);
      });
    }
    return reply;
  }

  #start(job: ModelJob): void {
    if (job.state === State.processing) return;
    job.state = State.processing;
    job.message = '';
    job.started = true;
    const { work } = job;
    const step = work.steps[job.step] as ModelStep;
    if (work.state < State.processing) {
      work.state = State.processing;
      work.events.push([EventCode['workflow.started'], -1, -1, State.processing]);
    }
    if (step.state < State.processing) {
      step.state = State.processing;
      work.events.push([EventCode['step.started'], job.step, -1, State.processing]);
    }
    this.#say(work, 'job.started', job, State.processing, []);
  }

  #lease(job: ModelJob): void {
    this.offers.delete(job.ref);
    job.hold = 2;
    this.leases.set(job.ref, false);
  }

  #drop(job: ModelJob): void {
    this.offers.delete(job.ref);
    this.leases.delete(job.ref);
    job.hold = 0;
  }

  #requeue(job: ModelJob, event: EventType, reason: string, end: string, more: string[] = []): void {
    job.work.solo = false;
    job.run = undefined;
    job.history = withClaim(job, end, reason);
    this.#drop(job);
    job.token = '';
    job.message = '';
    job.state = State.unassigned;
    job.claimed = false;
    job.started = false;
    job.progress = -1;
    job.progressSource = 0;
    this.#say(job.work, event, job, State.unassigned, [job.agent, reason, ...more]);
    this.#again(job.queue, job.score, job.member);
  }

  /** To the front, or to the back, by an operator who saw this token or place. */
  #putBack(ref: string, seen: string, back: boolean, note: string): unknown {
    const job = this.jobs.get(ref);
    if (job === undefined) return ['gone', 0, []];
    const { state, agent, token } = job;
    if (isTerminal(state)) return ['terminal', state, []];
    if ((job.hold > 0 ? token : job.member.slice(0, 10)) !== seen) return ['moved', state, []];
    if (job.hold > 0) {
      this.#requeue(job, 'job.released', 'REQUEUED', 'released', [note]);
      if (back) {
        this.#leaveQueue(job);
        this.#enqueue(job);
      }
      return ['ok', state, [[ref, token, agent, 'REQUEUED']]];
    }
    const front = this.#frontOf(job.queue, job.score);
    const score = this.queues.get(job.queue)?.get(job.member);
    const own = job.run === undefined && !job.work.solo;
    if (seen !== '' && !back && own && score !== undefined && score <= front) return ['ok', state, []];
    this.timers.delete(`backoff|${ref}`);
    this.#leaveQueue(job);
    job.work.solo = false;
    job.run = undefined;
    if (back || seen === '') this.#enqueue(job);
    else {
      job.score = front;
      inner(this.queues, job.queue).set(job.member, front);
    }
    this.#say(job.work, 'job.queued', job, State.unassigned, ['', 'REQUEUED', note]);
    return ['ok', state, []];
  }

  #finish(job: ModelJob, state: number, output: string, reason: string, message: string): ModelStep {
    this.#drop(job);
    Object.assign(job, { state, output, reason, message });
    if (state === State.succeeded) job.progress = 1;
    const step = job.work.steps[job.step] as ModelStep;
    step.open--;
    if (state === State.succeeded) step.ok++;
    else step.bad++;
    const names: Record<number, EventType> = {
      5: 'job.succeeded',
      6: 'job.failed',
      7: 'job.expired',
      8: 'job.canceled',
      9: 'job.canceled',
    };
    this.#say(job.work, names[state] as EventType, job, state, [job.agent, reason, message]);
    return step;
  }

  #fail(job: ModelJob, state: number, reason: string, message: string, retryable: boolean): void {
    const step = this.#finish(job, state, '', reason, message);
    step.fails.push([job.ordinal, state, reason, message, job.attempt, job.slot, retryable ? 1 : 0]);
    this.#needDecision(job.work, job.step);
  }

  #needDecision(work: ModelWork, step: number): void {
    work.facts++;
    if (!work.dirty.includes(step)) work.dirty.push(step);
    this.todo.add(work.wid);
  }

  // ── decisions ──

  #decide([wid, ver, facts, change, seen]: DecideItem, told: Told[]): unknown {
    const work = this.works.get(wid);
    if (work === undefined) return ['gone', 0, 0];
    if (work.ver !== ver) return ['conflict', 1, work.state];
    work.solo = false;
    this.#apply(work, change, told);
    return ['ok', this.#settle(work, seen, facts) ? 0 : 1, work.state];
  }

  #control(wid: string, tenant: string, message: string): unknown {
    const work = this.works.get(wid);
    if (work === undefined || work.tenant !== tenant) return ['gone', 0];
    if (isTerminal(work.state)) return ['terminal', work.state];
    if (work.cancel === 0) {
      work.solo = false;
      work.cancel = 1;
      work.cancelMessage = message;
      this.#needDecision(work, -1);
    }
    return ['ok', work.state];
  }

  #settle(work: ModelWork, seen: readonly number[], facts: number): boolean {
    if (isTerminal(work.state)) work.dirty = [];
    else if (work.facts === facts) work.dirty = work.dirty.filter((step) => !seen.includes(step));
    if (work.dirty.length === 0) this.todo.delete(work.wid);
    return work.dirty.length === 0;
  }

  #apply(
    work: ModelWork,
    [workflow, steps, jobs, cancels, events, again, runs = []]: Change,
    told: Told[],
  ): void {
    work.ver++;
    for (const range of cancels) this.#cancel(work, range, told);
    for (const change of steps) this.#alter(work, change);
    work.events.push(...events);
    const ends = workflow !== false && isTerminal(workflow[0]);
    for (const step of ends ? [] : again) {
      if (!work.dirty.includes(step)) work.dirty.push(step);
      this.todo.add(work.wid);
    }
    for (const spec of jobs) this.#newJob(work, spec);
    for (const spec of runs) {
      if (spec.length === 10) this.#newJob(work, spec);
      else this.#newRun(work, spec);
    }
    if (workflow !== false) this.#alterWork(work, workflow);
  }

  #alterWork(work: ModelWork, [state, reason, message, failedStep, closing]: WorkflowChange): void {
    if (state !== 0) {
      work.state = state;
      if (isTerminal(state)) this.timers.delete(`expire|${work.wid}`);
    }
    if (reason !== '') Object.assign(work, { reason, message });
    if (failedStep >= 0) work.failedStep = failedStep;
    if (closing >= 0) work.closing = closing;
  }

  #alter(
    work: ModelWork,
    [index, state, needs, total, emitted, reason, message, close, closePos, seen]: StepChange,
  ): void {
    const step = work.steps[index] as ModelStep;
    if (state !== 0) {
      if (isTerminal(state) && !isTerminal(step.state)) {
        work.openSteps--;
        if (state === State.succeeded) work.okSteps++;
      }
      step.state = state;
    }
    if (needs >= 0) step.needs = needs;
    if (total >= 0) step.total = total;
    if (emitted >= 0) step.emitted = emitted;
    if (reason !== '') Object.assign(step, { reason, message });
    if (close >= 0) step.close = close;
    if (closePos >= 0) step.closePos = closePos;
    step.fails = step.fails.slice(seen);
  }

  #cancel(work: ModelWork, [step, from, to, reason, unclaimed]: CancelRange, told: Told[]): void {
    for (let ordinal = from; ordinal < to; ordinal++) {
      const job = this.jobs.get(`${work.wid}-${step}-${ordinal}`);
      if (job === undefined || isTerminal(job.state)) continue;
      job.run = undefined;
      if (job.hold > 0) told.push([job.ref, job.token, job.agent, reason]);
      else {
        this.#leaveQueue(job);
        this.timers.delete(`backoff|${job.ref}`);
      }
      this.#finish(job, job.claims > 0 ? State.canceled : unclaimed, '', reason, '');
    }
  }

  /** As many jobs alike: those of one block of ordinals are a run, unless the block has one. */
  #newRun(work: ModelWork, [index, slot, queue, band, cost, inputs]: RunSpec): void {
    const count = typeof inputs === 'number' ? inputs : inputs.length;
    const step = work.steps[index] as ModelStep;
    const made: ModelJob[] = [];
    for (let i = 0; i < count; i++) {
      const input = typeof inputs === 'number' ? '' : (inputs[i] as string);
      this.#newJob(work, [index, slot + i, queue, band, cost, input, 1, -1, 0, 0]);
      made.push(this.#job(`${work.wid}-${index}-${step.nextJob - 1}`));
    }
    const name = (job: ModelJob): string => `${work.wid}-${index}r${Math.floor(job.ordinal / RUN_JOBS)}`;
    const taken = new Set([...this.jobs.values()].flatMap(({ run }) => run ?? []));
    for (const job of made) if (!taken.has(name(job))) job.run = name(job);
  }

  #newJob(
    work: ModelWork,
    [index, slot, queue, band, cost, input, attempt, replaces, delayMs, queueTimeoutMs]: JobSpec,
  ): void {
    const step = work.steps[index] as ModelStep;
    const ordinal = step.nextJob++;
    step.open++;
    const old = replaces < 0 ? undefined : this.jobs.get(`${work.wid}-${index}-${replaces}`);
    if (replaces >= 0) step.bad--;
    const job: ModelJob = {
      ref: `${work.wid}-${index}-${ordinal}`,
      work,
      step: index,
      ordinal,
      state: State.unassigned,
      slot,
      queue,
      band,
      score: 0,
      member: '',
      cost: old?.cost ?? cost,
      token: '',
      agent: '',
      hold: 0,
      claims: 0,
      recoveries: 0,
      attempt,
      started: false,
      input: old?.input ?? input,
      output: '',
      reason: '',
      message: '',
      progress: -1,
      progressSource: 0,
      replaces,
      claimed: false,
      agents: old === undefined ? '' : withAgent(old),
      history:
        old === undefined
          ? []
          : old.token === ''
            ? old.history
            : withClaim(old, old.state === State.expired ? 'expired' : 'failed', old.reason),
      blocked: '',
      runMs: 0,
      emitBatch: old?.emitBatch ?? 0,
      run: undefined,
      slice: '',
    };
    this.jobs.set(job.ref, job);
    if (delayMs > 0) this.timers.set(`backoff|${job.ref}`, false);
    else {
      this.#enqueue(job);
      this.#say(work, 'job.queued', job, State.unassigned, []);
    }
    if (queueTimeoutMs > 0) this.timers.set(`queued|${job.ref}`, false);
  }

  // ── queues ──

  #clock(queue: string, field: string): number {
    return this.#clocks.get(queue)?.get(field) ?? 0;
  }

  #enqueue(job: ModelJob): void {
    const finish = `F${job.band}|${job.work.tenant}`;
    const virtual = Math.max(this.#clock(job.queue, `V${job.band}`), this.#clock(job.queue, finish));
    inner(this.#clocks, job.queue).set(
      finish,
      virtual + Math.max(1, Math.floor((job.cost * 1024 * 1000) / job.work.weight)),
    );
    this.sequence++;
    job.score = (2 - job.band) * BAND + virtual;
    job.member = `${this.sequence.toString(16).padStart(10, '0')}:${job.ref}`;
    inner(this.queues, job.queue).set(job.member, job.score);
  }

  #frontOf(queue: string, score: number): number {
    const low = Math.floor(score / BAND);
    return Math.min(score, low * BAND + this.#clock(queue, `V${2 - low}`));
  }

  #again(queue: string, score: number, member: string): void {
    inner(this.queues, queue).set(member, this.#frontOf(queue, score));
  }

  #leaveQueue(job: ModelJob): void {
    this.queues.get(job.queue)?.delete(job.member);
    if (job.work.state === State.paused)
      this.parked.get(`wf:${job.work.wid}`)?.delete(`${job.member}|${job.queue}`);
  }

  #unpark(cause: string): number {
    for (const [entry, score] of this.parked.get(cause) ?? []) {
      const bar = entry.indexOf('|');
      this.#again(entry.slice(bar + 1), score, entry.slice(0, bar));
    }
    this.parked.delete(cause);
    return 0;
  }

  // ── loops ──

  #due(): unknown {
    const lapsed: [string, string][] = [];
    const entries = Map.groupBy(dueOf(this.offers), (ref) => this.offerEntry(ref));
    for (const [, refs] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
      for (const ref of refs) {
        const job = this.#job(ref);
        lapsed.push([ref, job.agent]);
        this.#requeue(job, 'job.released', 'OFFER_LAPSED', 'offer_lapsed');
      }
    }
    for (const timer of dueOf(this.timers)) {
      this.timers.delete(timer);
      const [kind, subject, token] = timer.split('|') as [string, string, string];
      if (kind === 'expire') this.#expire(subject);
      else this.#jobTimer(kind, this.#job(subject), token);
    }
    return [lapsed, [...this.todo].sort(), 0];
  }

  #expire(wid: string): void {
    const work = this.works.get(wid);
    if (work === undefined || isTerminal(work.state) || work.cancel !== 0) return;
    work.cancel = 2;
    this.#needDecision(work, -1);
  }

  #jobTimer(kind: string, job: ModelJob, token: string): void {
    if (kind === 'attempt' && this.#held(job.ref, token) === 'ok') {
      job.agents = withAgent(job);
      this.#fail(job, State.expired, 'DEADLINE_EXCEEDED_RUNNING', '', true);
      job.history = withClaim(job, 'expired', 'DEADLINE_EXCEEDED_RUNNING');
      job.token = '';
    }
    if (kind === 'queued' && job.hold === 1) this.timers.set(`queued|${job.ref}`, false);
    if (job.state !== State.unassigned) return;
    if (kind === 'backoff' && job.member === '') {
      this.#enqueue(job);
      this.#say(job.work, 'job.queued', job, State.unassigned, []);
    }
    if (kind === 'queued') {
      this.#leaveQueue(job);
      this.#fail(job, State.expired, 'DEADLINE_EXCEEDED_QUEUED', '', false);
    }
  }

  #sweep(max: number, notes: StallNotes): unknown {
    const stalled: unknown[] = [];
    const exhausted = new Set<string>();
    for (const ref of dueOf(this.leases)) {
      const job = this.#job(ref);
      job.agents = withAgent(job);
      const note = notes[ref];
      const said = note === undefined ? [job.agent] : [job.agent, '', '', note[0]];
      this.#say(job.work, 'job.stalled', job, job.state, said);
      if (job.recoveries < max) {
        job.recoveries++;
        this.#requeue(job, 'job.recovered', 'STALLED', 'stalled');
        stalled.push([ref, job.agent, 1]);
      } else {
        const message = `It stalled ${job.recoveries + 1} times; agents tried: ${job.agents}.${
          note === undefined ? '' : ` Its process, when last seen: ${note[1]}.`
        }`;
        this.#fail(job, State.failed, 'RECOVERY_EXHAUSTED', message, false);
        job.history = withClaim(job, 'stalled', 'RECOVERY_EXHAUSTED');
        job.token = '';
        stalled.push([ref, job.agent, 0]);
        exhausted.add(job.work.wid);
      }
    }
    return [stalled, [...exhausted], 0, 0];
  }

  #job(ref: string): ModelJob {
    return this.jobs.get(ref) as ModelJob;
  }

  #say(work: ModelWork, type: EventType, job: ModelJob, state: number, rest: unknown[]): void {
    work.events.push([EventCode[type], job.step, job.ordinal, state, ...rest] as LogEvent);
  }
}

function inner<V>(outer: Map<string, Map<string, V>>, key: string): Map<string, V> {
  let map = outer.get(key);
  if (map === undefined) {
    map = new Map();
    outer.set(key, map);
  }
  return map;
}

/** Cut where an ordinal is missing. */
function inARow(jobs: readonly ModelJob[]): ModelJob[][] {
  const parts: ModelJob[][] = [];
  for (const job of jobs) {
    const last = parts.at(-1);
    if (last?.at(-1)?.ordinal === job.ordinal - 1) last.push(job);
    else parts.push([job]);
  }
  return parts;
}

/** The entry of the highest band; of these the one that came first. */
function bestOf<E extends { member: string; score: number }>(heads: E[]): E | undefined {
  heads.sort(
    (a, b) =>
      Math.floor(a.score / BAND) - Math.floor(b.score / BAND) ||
      (a.member.slice(0, 10) < b.member.slice(0, 10) ? -1 : 1),
  );
  return heads[0];
}

function withClaim(job: ModelJob, end: string, reason: string): unknown[][] {
  return [...job.history, [job.attempt, job.agent, end, reason, job.started]].slice(-16);
}

/** Agents that lost the job, its holder among them if it has one. */
function withAgent({ agents, agent, token }: ModelJob): string {
  const list = agents === '' ? [] : agents.split(',');
  if (token === '' || list.includes(agent)) return agents;
  return [...list, agent].slice(-16).join(',');
}

function dueOf(entries: ReadonlyMap<string, boolean>): string[] {
  return [...entries]
    .filter(([, due]) => due)
    .map(([member]) => member)
    .sort();
}

function freshStep(needs: number): ModelStep {
  return {
    state: State.unassigned,
    needs,
    total: -1,
    emitted: 0,
    nextJob: 0,
    open: 0,
    ok: 0,
    bad: 0,
    reason: '',
    message: '',
    close: 0,
    closePos: 0,
    fails: [],
  };
}
