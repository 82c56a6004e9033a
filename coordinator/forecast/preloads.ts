/**
 * Which models agents should fetch before they are asked for: those that waiting jobs would use, by their cost.
 *
 * Invariants: an agent is told when its list has changed, and only of models it can provide and does not have; one that has told no
 * condition is told nothing.
 */
import type { Session } from '../agents/session.ts';
import type { Forecasts } from './forecasts.ts';
import type { Outlook } from './outlook.ts';

/** Models of one list. */
const MAX_HINTS = 16;

interface Hint {
  readonly type: string;
  readonly model: string;
  /** Of the waiting jobs that would use it. */
  readonly queuedCost: number;
}

export interface PreloadsOptions {
  readonly forecasts: Pick<Forecasts, 'outlook'>;
  readonly sessions: () => Iterable<Pick<Session, 'hello' | 'condition' | 'openProfile' | 'preload'>>;
}

export class Preloads {
  readonly #options: PreloadsOptions;
  readonly #told = new WeakMap<object, string>();

  constructor(options: PreloadsOptions) {
    this.#options = options;
  }

  /** One round. */
  async run(): Promise<void> {
    const { forecasts, sessions } = this.#options;
    const able = [...sessions()].filter(({ condition }) => condition !== null);
    if (able.length === 0) return;
    const queued = queuedCosts(await forecasts.outlook());
    for (const session of able) {
      const hints = hintsFor(session, queued);
      const text = JSON.stringify(hints.map(({ type, model }) => [type, model]));
      if ((this.#told.get(session) ?? '[]') === text) continue;
      this.#told.set(session, text);
      session.preload(hints);
    }
  }
}

/** Waiting cost by step type, and of it what names a model. */
function queuedCosts(outlook: Outlook): ReadonlyMap<string, Queued> {
  const costs = new Map<string, Queued>();
  for (const { need, now, meanCost } of outlook.waiting()) {
    const cost = (now?.jobs ?? 0) * meanCost;
    let queued = costs.get(need.type);
    if (queued === undefined) costs.set(need.type, (queued = { any: 0, byModel: new Map() }));
    const models = need.requirement?.models ?? [];
    if (models.length === 0) queued.any += cost;
    for (const model of models) queued.byModel.set(model, (queued.byModel.get(model) ?? 0) + cost);
  }
  return costs;
}

interface Queued {
  /** Of jobs that name no model: they use whatever the executor has. */
  any: number;
  readonly byModel: Map<string, number>;
}

function hintsFor(
  { hello, condition }: Pick<Session, 'hello' | 'condition'>,
  queued: ReadonlyMap<string, Queued>,
): Hint[] {
  const has = new Set([...(condition?.cachedModels ?? []), ...(condition?.warmModels ?? [])]);
  const hints: Hint[] = [];
  for (const { type, models } of hello.advertisement?.executors ?? []) {
    const costs = queued.get(type);
    if (costs === undefined || condition?.pausedTypes.includes(type) === true) continue;
    for (const { name: model } of models) {
      const queuedCost = costs.any + (costs.byModel.get(model) ?? 0);
      if (queuedCost > 0 && !has.has(model)) hints.push({ type, model, queuedCost });
    }
  }
  return hints.sort((a, b) => b.queuedCost - a.queuedCost).slice(0, MAX_HINTS);
}
