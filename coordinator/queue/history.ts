/**
 * The claims of a job, oldest first: those its history keeps (`with_claim` in lua/lib/facts.lua), and the live or last
 * one, which the record itself tells.
 *
 * Invariant: a job that was replaced hands its claims to the replacement, so a job shows every attempt at its work,
 * the newest 17 claims of them.
 */
import { State, isTerminal } from '../../sdk/common/states.ts';
import { unpack } from './codec.ts';
import type { JobRecord } from './reads.ts';

/** How a claim ended; '' = it has not. */
export type ClaimEnd =
  | ''
  | 'released'
  | 'offer_lapsed'
  | 'stalled'
  | 'succeeded'
  | 'failed'
  | 'expired'
  | 'canceled';

export interface ClaimRecord {
  readonly attempt: number;
  readonly agent: string;
  readonly end: ClaimEnd;
  readonly reason: string;
  readonly claimedAt: number;
  readonly startedAt: number;
  readonly endedAt: number;
}

type Stored = [number, string, ClaimEnd, string, number, number, number];

export function claimsOf(job: Omit<JobRecord, 'own'>): ClaimRecord[] {
  const stored = job.history === '' ? [] : unpack<Stored[]>(job.history);
  const claims = stored.map(([attempt, agent, end, reason, claimedAt, startedAt, endedAt]): ClaimRecord => ({
    attempt,
    agent,
    end,
    reason,
    claimedAt,
    startedAt,
    endedAt,
  }));
  // A claim that was given up, or lost by a stall, leaves no token.
  if (job.token === '') return claims;
  claims.push({
    attempt: job.attempt,
    agent: job.agent,
    end: endOf(job),
    reason: job.reason,
    claimedAt: job.claimedAt,
    startedAt: job.startedAt,
    endedAt: job.completedAt,
  });
  return claims;
}

function endOf({ state }: Pick<JobRecord, 'state'>): ClaimEnd {
  if (!isTerminal(state)) return '';
  if (state === State.succeeded) return 'succeeded';
  if (state === State.failed) return 'failed';
  return state === State.expired ? 'expired' : 'canceled';
}
