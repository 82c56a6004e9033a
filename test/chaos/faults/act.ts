/**
 * Carries out a plan of faults on a running fleet, and undoes each.
 *
 * 1. A fault whose target is not whole (it still starts after the fault before) waits for it; when it could no longer be
 *    over before the last one of the plan is, it is left out and counted nowhere.
 * 2. A member that does not come back by itself is a finding, and started again until it does.
 * 3. `heal` leaves everything running, thawed and connected, with the true time.
 * 4. The file has a line when a fault begins and one when it is undone, with the wall clock, written at once.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { setClock } from '../fleet/clock-jump.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import type { Fault, FaultKind } from './plan.ts';

const RESTARTS = 5;
/** Timers of a busy machine are late by this much and more. */
const LATE_MS = 200;
/** A drain may take this long before the second signal. */
const DRAIN_MS = 2_000;
const HURRY_MS = 10_000;

type Undo = () => void | Promise<void>;

export class FaultRunner {
  /** What was done, by kind. */
  readonly counts: Partial<Record<FaultKind, number>> = {};
  readonly #file: string;
  /** Last fault of each target. */
  readonly #last = new Map<string, Promise<void>>();
  readonly #underWay = new Set<Promise<void>>();
  #members: readonly Member[] = [];
  #fleet: Fleet | undefined;

  /** `file` gets the lines. */
  constructor(file: string) {
    this.#file = file;
  }

  /** Resolves when the last fault is undone, or soon after `signal` has aborted. */
  async run(
    plan: readonly Fault[],
    fleet: Fleet,
    consumers: readonly Member[],
    signal: AbortSignal,
  ): Promise<void> {
    this.#fleet = fleet;
    this.#members = [...new Set([...fleet.members(), ...consumers])];
    const startedAt = performance.now();
    const endAt = startedAt + Math.max(0, ...plan.map(({ atMs, forMs }) => atMs + forMs));
    for (const fault of plan) {
      await quietly(startedAt + fault.atMs - performance.now(), signal);
      if (signal.aborted) break;
      const before = this.#last.get(fault.target) ?? Promise.resolve();
      const acting = before.then(() => this.#act(fault, endAt, signal));
      const done = acting.catch((error: unknown) => {
        fleet.findings.push(`${fault.kind} of ${fault.target} could not be done: ${String(error)}`);
      });
      this.#last.set(fault.target, done);
      this.#underWay.add(done);
      void done.then(() => this.#underWay.delete(done));
    }
    await Promise.all(this.#underWay);
  }

  /** Undoes everything that is left; after `run`. */
  async heal(): Promise<void> {
    for (const link of this.#fleet?.links.names() ?? []) {
      for (const proxy of this.#fleet?.links.get(link) ?? []) proxy.disarm();
      await this.#fleet?.links.join(link);
    }
    for (const member of this.#members) {
      member.thaw();
      if (member.kind !== 'redis') setClock(member, 0);
    }
    const down = this.#members.filter(({ state, mayEnd }) => state === 'down' && !mayEnd);
    for (const redis of down.filter(({ kind }) => kind === 'redis')) await this.#startAgain(redis);
    await Promise.all(down.filter(({ kind }) => kind !== 'redis').map((member) => this.#startAgain(member)));
  }

  async #act(fault: Fault, endAt: number, signal: AbortSignal): Promise<void> {
    const member = this.#members.find(({ name }) => name === fault.target);
    const isWhole = member === undefined || member.state === 'up';
    if (!isWhole || signal.aborted || performance.now() + fault.forMs > endAt + LATE_MS) {
      this.#log(fault, 'skipped');
      return;
    }
    this.counts[fault.kind] = (this.counts[fault.kind] ?? 0) + 1;
    this.#log(fault, 'begins');
    const undo = await (member === undefined ? this.#onLink(fault) : this.#onMember(fault, member));
    await quietly(fault.forMs, signal);
    await undo();
    this.#log(fault, 'undone');
  }

  async #onMember({ kind, jumpMs = 0 }: Fault, member: Member): Promise<Undo> {
    switch (kind) {
      case 'kill-coordinator':
      case 'kill-agent':
      case 'kill-consumer':
      case 'kill-redis':
      case 'outage':
        await member.kill();
        return () => this.#startAgain(member);
      case 'term-agent':
        member.signal('SIGTERM');
        return async () => {
          await this.#leave(member);
          await this.#startAgain(member);
        };
      case 'freeze-coordinator':
      case 'freeze-agent':
      case 'freeze-consumer':
      case 'freeze-redis':
        member.freeze();
        return () => member.thaw();
      case 'clock-jump':
        setClock(member, jumpMs);
        return () => setClock(member, 0);
      default:
        throw new Error(`${kind} needs a link.`);
    }
  }

  async #onLink({ kind, target }: Fault): Promise<Undo> {
    const proxies = this.#fleet?.links.get(target) ?? [];
    const each = (use: (proxy: (typeof proxies)[number]) => void) => () => proxies.forEach(use);
    switch (kind) {
      case 'cut':
        each((proxy) => proxy.cut())();
        return () => undefined;
      case 'cut-before':
        each((proxy) => proxy.cutBeforeRequest())();
        return each((proxy) => proxy.disarm());
      case 'cut-after':
        each((proxy) => proxy.cutAfterRequest())();
        return each((proxy) => proxy.disarm());
      case 'partition':
        await this.#fleet?.links.part(target);
        return () => this.#fleet?.links.join(target);
      default:
        throw new Error(`${kind} needs a member.`);
    }
  }

  /** A drain ends by itself; a second signal hurries one that takes long. */
  async #leave(member: Member): Promise<void> {
    if (await isGone(member, DRAIN_MS)) return;
    member.signal('SIGTERM');
    if (await isGone(member, HURRY_MS)) return;
    this.#fleet?.findings.push(`${member.name} does not leave after two signals.\n${member.tail()}`);
    await member.kill();
  }

  async #startAgain(member: Member): Promise<void> {
    for (let attempt = 1; member.state === 'down' && this.#fleet?.stopping === false; attempt += 1) {
      try {
        await member.start();
      } catch (error) {
        this.#fleet?.findings.push(`${member.name} did not start: ${String(error)}`);
        if (attempt === RESTARTS) throw error;
      }
    }
  }

  #log(fault: Fault, what: 'begins' | 'undone' | 'skipped'): void {
    appendFileSync(this.#file, `${JSON.stringify({ at: Date.now(), what, ...fault })}\n`);
  }
}

async function isGone(member: Member, withinMs: number): Promise<boolean> {
  return member.gone(withinMs).then(
    () => true,
    () => false,
  );
}

/** Waits; ends early, without an error, when the signal aborts. */
async function quietly(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return;
  await pause(ms, undefined, { signal }).catch(() => undefined);
}
