/**
 * What becomes of jobs when their agent is told to leave, or freezes: the scenarios of `npm run chaos -- --real-time`
 * with leases of seconds. Real processes, real Redis.
 */
import { expect, test } from 'vitest';
import { sigtermOnce, sigtermTwice } from '../chaos/real-time/agent-signals.ts';
import { frozenAgent } from '../chaos/real-time/frozen-agent.ts';
import { stalledFourTimes } from '../chaos/real-time/stalled-four-times.ts';
import { SHORT_LEASE, scaled } from './support/scaled.ts';

/** Far more than these leases need: a test is no place to measure. */
const withinMs = 30_000;

test('SIGTERM once: the running job finishes, the agent exits 0 and takes nothing new', async () => {
  expect(await scaled(sigtermOnce({ jobMs: 1_000 }))).toEqual([]);
});

test('SIGTERM twice: the job goes to another agent before its stubborn executor has ended', async () => {
  expect(await scaled(sigtermTwice())).toEqual([]);
});

test('kill -STOP: the job runs elsewhere, the late result is refused and counted, the agent works on', async () => {
  expect(await scaled(frozenAgent({ jobMs: 3_000, withinMs }), SHORT_LEASE)).toEqual([]);
});

test('the fourth stall of a job ends it and names the agents that tried', async () => {
  expect(await scaled(stalledFourTimes({ withinMs }), SHORT_LEASE)).toEqual([]);
});
