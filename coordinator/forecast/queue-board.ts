/**
 * All queues as operators see them, and who watches them.
 *
 * Invariants: made once a round however many watch; a round without a watcher makes nothing; watchers are told queues that changed,
 * and an age that only grows is no change.
 */
import type { Classes } from '../agents/classes.ts';
import type { Everyone } from '../agents/everyone.ts';
import type { Drift, Member } from '../agents/members.ts';
import type { PauseRecord } from '../agents/pauses.ts';
import type { QueueStat, QueueStats } from '../queue/stats.ts';
import { unrunnableReason } from './explain.ts';
import type { Forecasts } from './forecasts.ts';
import type { Quality } from './ratios.ts';

export interface QueueNews extends QueueStat {
  readonly running: number;
  readonly pause: PauseRecord | undefined;
  readonly waitingCost: number;
  /** Cost a second. */
  readonly throughput: number;
  /** 0 = nothing waits, or not known. */
  readonly drainInMs: number;
  readonly closedAgents: number;
  readonly stalls: number;
  /** Agents whose run times differ from the declared cost. */
  readonly drifts: readonly AgentDrift[];
  readonly quality: Quality | undefined;
  readonly unrunnableReason: string;
}

export interface AgentDrift extends Drift {
  readonly agentId: string;
}

/** A drift below this is none. */
const NOTABLE = 0.2;
/** Agents told of at most, the worst first. */
const MAX_DRIFTS = 20;

export interface FleetNews {
  readonly connected: number;
  readonly quarantined: number;
  readonly paused: number;
  readonly slots: number;
  readonly held: number;
}

export type QueueListener = (queues: readonly QueueNews[], fleet: FleetNews) => void;

export interface QueueBoardOptions {
  readonly stats: QueueStats;
  readonly forecasts: Forecasts;
  readonly classes: Pick<Classes, 'needs'>;
  readonly everyone: Pick<Everyone, 'profiles' | 'members' | 'heldBy'>;
  readonly pauseOf: (queue: string, type: string) => PauseRecord | undefined;
}

export class QueueBoard {
  readonly #options: QueueBoardOptions;
  readonly #listeners = new Map<QueueListener, Map<string, string>>();
  readonly #stalls = new Map<string, number>();
  readonly #fleetTold = new WeakMap<QueueListener, string>();

  constructor(options: QueueBoardOptions) {
    this.#options = options;
  }

  /** A job of a queue stalled. */
  stalled(name: string): void {
    this.#stalls.set(name, (this.#stalls.get(name) ?? 0) + 1);
  }

  /** Queues by name. */
  async list(): Promise<QueueNews[]> {
    const { stats, forecasts, classes, everyone, pauseOf } = this.#options;
    const profiles = await everyone.profiles();
    const [queues, outlook] = await Promise.all([stats.list(profiles), forecasts.outlook()]);
    const members = everyone.members();
    const held = everyone.heldBy();
    return queues.map((queue): QueueNews => {
      const { name } = queue;
      const parts = [...outlook.waiting()].filter((part) => part.name === name);
      const need = classes.needs.get(name);
      return {
        ...queue,
        running: held.get(name) ?? 0,
        pause: pauseOf(name, queue.type),
        waitingCost: parts.reduce((sum, { now, meanCost }) => sum + (now?.jobs ?? 0) * meanCost, 0),
        throughput: outlook.throughputOf(name),
        drainInMs: Math.round(
          Math.max(0, ...parts.map((part) => outlook.startInMs(part, part.now?.jobs ?? 0) ?? 0)),
        ),
        closedAgents: outlook.agentsOf(name).closed,
        stalls: this.#stalls.get(name) ?? 0,
        drifts: driftsOf(members, queue.type),
        quality: forecasts.qualityOf(name),
        unrunnableReason:
          queue.waiting === 0 || queue.eligibleAgents > 0 || need === undefined
            ? ''
            : unrunnableReason(need, members),
      };
    });
  }

  fleetNow(): FleetNews {
    return summaryOf(this.#options.everyone.members());
  }

  /** Who watches. */
  get listening(): number {
    return this.#listeners.size;
  }

  /** The first call has all queues; returns the function that signs off. */
  watch(listener: QueueListener): () => void {
    this.#listeners.set(listener, new Map());
    return () => this.#listeners.delete(listener);
  }

  /** One round. */
  async run(): Promise<void> {
    if (this.#listeners.size === 0) return;
    const queues = (await this.list()).map((queue) => ({ queue, text: textOf(queue) }));
    const fleet = this.fleetNow();
    const fleetText = JSON.stringify(fleet);
    for (const [listener, told] of this.#listeners) {
      const changed = queues.filter(({ queue, text }) => told.get(queue.name) !== text);
      const fleetChanged = this.#fleetTold.get(listener) !== fleetText;
      if (changed.length === 0 && !fleetChanged) continue;
      for (const { queue, text } of changed) told.set(queue.name, text);
      this.#fleetTold.set(listener, fleetText);
      listener(
        changed.map(({ queue }) => queue),
        fleet,
      );
    }
  }
}

/** Equal as long as nothing but time has passed. */
function textOf({
  oldestWaitMs: _age,
  drainInMs,
  quality: _quality,
  drifts: _drifts,
  ...rest
}: QueueNews): string {
  return JSON.stringify([rest, Math.round(drainInMs / 1000)]);
}

function summaryOf(members: readonly Member[]): FleetNews {
  let [quarantined, paused, slots, held] = [0, 0, 0, 0];
  for (const member of members) {
    if (member.closed === 'quarantined') quarantined++;
    else if (member.closed === 'paused') paused++;
    slots += member.slots;
    held += member.held;
  }
  return { connected: members.length, quarantined, paused, slots, held };
}

function driftsOf(members: readonly Member[], type: string): AgentDrift[] {
  const worst = ({ small, large }: Drift): number => Math.max(Math.abs(small - 1), Math.abs(large - 1));
  return members
    .flatMap((member): AgentDrift[] => {
      const drift = member.driftOf(type);
      return drift === undefined || worst(drift) < NOTABLE ? [] : [{ agentId: member.id, ...drift }];
    })
    .sort((a, b) => worst(b) - worst(a))
    .slice(0, MAX_DRIFTS);
}
