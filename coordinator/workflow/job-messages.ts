/** Jobs as consumers read them. */
import type { JobForecast__Output, Job__Output, State__Output } from '../../proto/gen/index.ts';
import type { Plain } from '../../proto/gen/load.ts';
import { State, isTerminal } from '../../sdk/common/states.ts';
import type { Forecast, Forecasts } from '../forecast/forecasts.ts';
import type { JobProgress } from '../progress/progress.ts';
import type { Progress } from '../progress/estimate.ts';
import { claimsOf } from '../queue/history.ts';
import { jobId, jobRef } from '../queue/keys.ts';
import type { Cell } from '../queue/keys.ts';
import type { JobRecord } from '../queue/reads.ts';

export interface JobMessagesOptions {
  readonly forecasts: Pick<Forecasts, 'of'>;
  readonly progress: Pick<JobProgress, 'of'>;
  /** Whether an agent is connected that can run a class. */
  readonly isRunnable: (queue: string) => boolean;
}

/** Jobs of one step by ordinal; holes are left out. */
export async function jobMessages(
  { forecasts, progress, isRunnable }: JobMessagesOptions,
  cell: Cell,
  wid: string,
  step: number,
  jobs: readonly (JobRecord | undefined)[],
  outputs: boolean,
): Promise<Plain<Job__Output>[]> {
  const shown = jobs.flatMap((job, ordinal) => (job === undefined ? [] : [{ wid, step, ordinal, job }]));
  const waiting = shown.filter(({ job }) => job.state === State.unassigned && job.member !== '');
  const told = await forecasts.of(cell, waiting);
  const forecastOf = new Map(waiting.map(({ ordinal }, index) => [ordinal, told[index]]));
  return shown.map(({ job, ordinal }) => {
    const ref = jobRef(wid, step, ordinal);
    const forecast = forecastOf.get(ordinal);
    const { fraction, source } = progress.of(ref, job);
    return {
      id: jobId(ref),
      state: job.state as State__Output,
      outcome: job.reason === '' ? null : { reason: job.reason, message: job.message },
      agentId: job.agent,
      cost: job.cost,
      progress: fraction,
      progressSource: source,
      queuedAtMs: job.queuedAt,
      startedAtMs: job.startedAt,
      completedAtMs: job.completedAt,
      attempt: job.attempt,
      claims: job.claims,
      recoveries: job.recoveries,
      queuePosition: forecast?.own ?? 0,
      forecast: forecast === undefined ? null : forecastMessage(forecast),
      index: job.slot,
      replaces: job.replaces >= 0 ? jobId(jobRef(wid, step, job.replaces)) : '',
      queue: job.queue,
      runnable: isTerminal(job.state) || job.hold > 0 || isRunnable(job.queue),
      blockedReason: job.blocked,
      outputJson: outputs ? job.output : '',
      history: claimsOf(job).map(({ attempt, agent, end, reason, claimedAt, startedAt, endedAt }) => ({
        attempt,
        agentId: agent,
        end,
        reason,
        claimedAtMs: claimedAt,
        startedAtMs: startedAt,
        endedAtMs: endedAt,
      })),
    };
  });
}

export function forecastMessage(forecast: Forecast): Plain<JobForecast__Output> {
  const { position, exact, costAhead, eligibleAgents, likelyAgentId, known } = forecast;
  const { startInP50Ms, startInP90Ms, doneInP50Ms, doneInP90Ms } = forecast;
  return {
    position,
    exact,
    costAhead,
    eligibleAgents,
    likelyAgentId,
    known,
    startInP50Ms,
    startInP90Ms,
    doneInP50Ms,
    doneInP90Ms,
    unrunnableReason: forecast.unrunnableReason,
  };
}

/** Progress of a step from those of its jobs: each counts alike. */
export function stepProgress(
  state: { readonly ok: number; readonly total: number },
  running: readonly Progress[],
): Progress {
  if (state.total <= 0) return { fraction: 0, source: 0 };
  const known = running.filter(({ source }) => source !== 0);
  const sum = known.reduce((total, { fraction }) => total + fraction, state.ok);
  const reported = known.some(({ source }) => source === 2);
  return { fraction: Math.min(1, sum / state.total), source: reported ? 2 : known.length > 0 ? 1 : 0 };
}
