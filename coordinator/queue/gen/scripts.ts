// Generated from the headers of coordinator/queue/lua/*.lua by `npm run gen`. Do not edit.
import type {
  AcceptItem,
  AcceptReply,
  Caps,
  Change,
  ClaimAsk,
  CompleteItem,
  CompleteReply,
  CompletedSlice,
  DecideItem,
  DecideReply,
  EmitItem,
  EmitReply,
  ProgressItem,
  ReleaseItem,
  SoloItem,
  StallNotes,
  SubmitItem,
  SubmitReply,
  Told,
} from '../items.ts';

export interface Scripts {
  /** agents take offers into their local queues, say that jobs are prepared or began, and name what they still hold. */
  accept: { args: [tag: string, origin: string, leaseMs: number, items: AcceptItem[]]; returns: AcceptReply[] };
  /** agents race for jobs; each ask takes one job in turn until all are filled or nothing is left. */
  claim: { args: [tag: string, origin: string, claim: number, random: string, offerMs: number, register: number, asks: ClaimAsk[], avoidMs: number, caps?: Caps]; returns: unknown[] };
  /** ends claimed jobs, and where the coordinator decided ahead of it, commits that decision in the same call. */
  complete: { args: [tag: string, origin: string, items: CompleteItem[], changes?: Change[], slices?: CompletedSlice[]]; returns: [replies: CompleteReply[], told: Told[]] };
  /** a person's word on a workflow: cancel; the decision that follows carries it out. */
  control: { args: [tag: string, origin: string, wid: string, tenant: string, message: string]; returns: [status: 'ok' | 'terminal' | 'gone', state: number] };
  /** commits decisions by compare-and-set on the workflow's version. */
  decide: { args: [tag: string, origin: string, items: DecideItem[]]; returns: [replies: DecideReply[], told: Told[]] };
  /** the due loop's step: lapsed offers, due timers, and workflows to decide: raised here, or waiting for too long. */
  due: { args: [tag: string, origin: string, limit: number, undecidedMs: number, offerMs: number]; returns: [lapsed: [ref: string, agent: string][], todo: string[], more: number] };
  /** a running job asks for further jobs of its own step. */
  emit: { args: [tag: string, origin: string, items: EmitItem[]]; returns: EmitReply[] };
  /** tells which jobs are held by whom, one page of the cell's offers or leases; with count 0 the time alone. */
  holders: { args: [where: 'o' | 'l', cursor: string, count: number]; returns: [cursor: string, now: number, held: [ref: string, token: string, agent: string, claimedAt: number][]] };
  /** reads a workflow's event log from a list position on, and signs the reader up for news. */
  log: { args: [wid: string, from: number, limit: number, watcher: string]; returns: unknown[] };
  /** reported progress; a sign of life like a heartbeat. */
  progress: { args: [tag: string, origin: string, leaseMs: number, items: ProgressItem[]]; returns: AcceptReply[] };
  /** agents hand jobs back; they return to the front of their queue. */
  release: { args: [tag: string, origin: string, items: ReleaseItem[]]; returns: AcceptReply[] };
  /** an operator puts a job to the front of its queue, or to the back, wherever it is: held, waiting, in a backoff. */
  requeue: { args: [tag: string, origin: string, ref: string, seen: string, toBack: number, note: string]; returns: [status: 'ok' | 'moved' | 'terminal' | 'gone', state: number, told: Told[]] };
  /** creates workflows and enqueues what can run at once; one call for all that one event-loop turn has. */
  submit: { args: [tag: string, origin: string, items: SubmitItem[], classes: [name: string, requirement: string][], changes?: Change[], solos?: SoloItem[]]; returns: SubmitReply[] };
  /** the stall sweep: jobs whose lease has run out go back to the front of their queue, or fail for good. */
  sweep: { args: [tag: string, origin: string, leaseMs: number, intervalMs: number, slackMs: number, maxRecoveries: number, limit: number, notes: StallNotes]; returns: [stalled: [ref: string, agent: string, recovered: number][], todo: string[], grace: number, more: number] };
  /** brings parked queue entries back once their cause has ended, in chunks. */
  unpark: { args: [tag: string, origin: string, cause: string, limit: number]; returns: number };
}

export type ScriptName = keyof Scripts;

export const SCRIPT_NAMES: readonly ScriptName[] = [
  'accept',
  'claim',
  'complete',
  'control',
  'decide',
  'due',
  'emit',
  'holders',
  'log',
  'progress',
  'release',
  'requeue',
  'submit',
  'sweep',
  'unpark',
];
