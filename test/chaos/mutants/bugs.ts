/**
 * Planted bugs: each takes away one thing that "nothing is lost" rests on, and names the trouble in which it shows. A run
 * with the bug must end with a violation; the same trouble without it must not.
 */
import type { FaultKind } from '../faults/plan.ts';
import type { Times } from '../fleet/times.ts';
import type { Weights } from '../workload/shapes.ts';

/** The trouble a bug is looked for in. */
export interface Trouble {
  readonly faults: readonly FaultKind[];
  readonly seconds: number;
  readonly weights?: Weights;
  readonly times?: Partial<Times>;
  /** Workflows a consumer has under way at most. */
  readonly window?: number;
  readonly agents?: number;
  readonly consumers?: number;
}

export interface Bug {
  readonly name: string;
  /** From the root of the tree. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly trouble: keyof typeof TROUBLES;
}

export const TROUBLES = {
  /** Nothing goes wrong. */
  calm: { faults: [], seconds: 4 },
  /**
   * Nothing goes wrong, and nobody polls. One consumer and one agent, which begins at either coordinator: where it is the
   * other one, every job rests on a wake-up.
   */
  unpolled: {
    faults: [],
    seconds: 4,
    times: { pollMs: 600_000 },
    weights: { single: 1, process: 1, fan: 1 },
    consumers: 1,
    agents: 1,
  },
  /** Nothing goes wrong; jobs that run for longer than a lease. */
  longJobs: { faults: [], seconds: 6, weights: { patient: 1, single: 1 }, window: 3 },
  /** Large fan-outs. */
  wide: { faults: [], seconds: 4, weights: { wide: 1 } },
  /** Agents that come back from the dead. */
  zombies: { faults: ['freeze-agent'], seconds: 12, weights: { slow: 3, process: 1, fan: 1 } },
  /** Agents that die. */
  deaths: { faults: ['kill-agent', 'freeze-agent'], seconds: 10 },
  /** Coordinators that die. */
  crashes: { faults: ['kill-coordinator'], seconds: 10 },
  /** Answers that are lost on the way. */
  lostReplies: { faults: ['cut-after', 'cut-before', 'cut'], seconds: 10 },
  /** Redis away for longer than a lease. */
  outage: { faults: ['outage'], seconds: 14, weights: { slow: 1, process: 1 } },
} as const satisfies Readonly<Record<string, Trouble>>;

const LUA = 'coordinator/queue/lua';

export const BUGS: readonly Bug[] = [
  {
    name: 'no fence: whoever holds any token may end a job',
    file: `${LUA}/lib/facts.lua`,
    from: "if token == '' or j[J.token] ~= token then return 'lost' end",
    to: "if token == '' then return 'lost' end",
    trouble: 'zombies',
  },
  {
    name: 'no idempotency: a repeated submit makes the workflow anew',
    file: `${LUA}/submit.lua`,
    from: 'for i = 1, #list do if found[i] then works[list[i]] = true end end',
    to: '',
    trouble: 'calm',
  },
  {
    name: 'no idempotency: a repeated batch of further jobs counts again',
    file: `${LUA}/emit.lua`,
    from: "if live == 'ok' and it[3] <= rec.j[J.emitBatch] then live = 'done' end",
    to: '',
    trouble: 'lostReplies',
  },
  {
    name: 'no grace: leases that ran out during an outage are stalls',
    file: `${LUA}/sweep.lua`,
    from: 'if swept > 0 and now - swept > interval + slack then',
    to: 'if false then',
    trouble: 'outage',
  },
  {
    name: 'lost ready-index update: a recovered job is in no queue',
    file: `${LUA}/lib/queue.lua`,
    from: 'put_in_queue(class, math.min(score, front_of(class, score)), member)',
    to: '',
    trouble: 'deaths',
  },
  {
    name: 'double requeue: a job that went back keeps its lease',
    file: `${LUA}/lib/facts.lua`,
    from: 'local function free(rec)\n  local j = rec.j\n  drop_lease(rec)',
    to: 'local function free(rec)\n  local j = rec.j\n  j[J.hold] = 0',
    trouble: 'deaths',
  },
  {
    name: 'todo removed too early: before its decision is made',
    file: `${LUA}/lib/facts.lua`,
    from: "if h[H.dirty] == '' then zadd(TODO, now, w.wid) end",
    to: '',
    trouble: 'crashes',
  },
  {
    name: 'lost wake: nobody is told of new jobs',
    file: `${LUA}/lib/queue.lua`,
    from: 'bus_wakes[#bus_wakes + 1] = {idle[1], class}',
    to: '',
    trouble: 'unpolled',
  },
  {
    name: 'wrong emit offset: a fan-out goes on one job too late',
    file: 'coordinator/workflow/engine.ts',
    from: 'else emit(draft, index, step.emitted);',
    to: 'else emit(draft, index, step.emitted + 1);',
    trouble: 'wide',
  },
  {
    name: 'a step starts when one of its dependencies is done',
    file: 'coordinator/workflow/engine.ts',
    from: 'if (step.needs === 0 && draft.closing === 0) startStep(draft, dependent);',
    to: 'if (draft.closing === 0 && dependent % 2 === 0) startStep(draft, dependent);',
    trouble: 'calm',
  },
  {
    name: 'finished results are not sent again in a new session',
    file: 'agent/claim/claims.ts',
    from: '      this.#o.outbox.completed(completion);\n    }\n    this.#pump();',
    to: '    }\n    this.#pump();',
    trouble: 'crashes',
  },
  {
    name: 'heartbeats name no job',
    file: 'agent/heartbeat/heartbeat.ts',
    from: 'held: sources.held(),',
    to: 'held: [],',
    trouble: 'longJobs',
  },
  {
    name: 'every stall is the first',
    file: `${LUA}/sweep.lua`,
    from: 'j[J.recoveries] = j[J.recoveries] + 1',
    to: '',
    trouble: 'deaths',
  },
  {
    name: 'an accepted job still lapses',
    file: `${LUA}/accept.lua`,
    from: '      zrem(OFFERS, rec.ref)\n      j[J.hold] = 2\n',
    to: '',
    trouble: 'longJobs',
  },
  {
    name: 'a watch that resumes begins one event too late',
    file: 'sdk/client/watch.ts',
    from: 'position = { afterCursor: event.cursor, afterSequence: 0 };',
    to: "position = { afterCursor: '', afterSequence: seen + 1 };",
    trouble: 'crashes',
  },
  {
    name: 'a lost answer is asked for under a new request id',
    file: 'sdk/client/submit-link.ts',
    from: '    this.#queue = [...this.#open.values()];\n',
    to: '    this.#queue = [...this.#open.values()].map((entry) => ({ ...entry, requestId: `${entry.requestId}b` }));\n',
    trouble: 'lostReplies',
  },
  {
    name: 'events of one call share a number',
    file: `${LUA}/lib/flush.lua`,
    from: 'h[H.seq] = h[H.seq] + w.evs',
    to: 'h[H.seq] = h[H.seq] + 1',
    trouble: 'calm',
  },
  {
    name: 'offers that lapse are forgotten',
    file: `${LUA}/due.lua`,
    from: "  requeue(rec, EV['job.released'], 'OFFER_LAPSED', 'offer_lapsed')",
    to: '  zrem(OFFERS, rec.ref)',
    trouble: 'crashes',
  },
  {
    name: "a run's entry stays where it was when its jobs are taken",
    file: `${LUA}/lib/queue.lua`,
    from: 'if entry ~= run.entry or stands ~= run.stood then',
    to: "if run.entry == '' then",
    trouble: 'wide',
  },
  {
    name: 'jobs that ended together are not taken off their run',
    file: `${LUA}/lib/run.lua`,
    from: '  for i = at, at + count - 1 do gone[i] = chunk or true end',
    to: '  if chunk then return end\n  for i = at, at + count - 1 do gone[i] = chunk or true end',
    trouble: 'wide',
  },
];
