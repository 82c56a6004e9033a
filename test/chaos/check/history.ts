/** What the checker judges: everything that consumers, executors, the harness and the store wrote down. */
import type { ConsumerLine, RunLine } from '../history/lines.ts';
import type { Stored } from '../history/stored.ts';

/** Something that must never be, in a sentence with the ids it concerns. */
export interface Violation {
  readonly rule: string;
  readonly what: string;
}

/** A time in which a process or a connection was not what it should be; wall clock, milliseconds. */
export interface Disturbance {
  readonly kind: string;
  readonly target: string;
  readonly from: number;
  readonly to: number;
}

export interface History {
  /** Of all consumers, in the order each wrote them. */
  readonly consumers: readonly ConsumerLine[];
  readonly runs: readonly RunLine[];
  readonly disturbances: readonly Disturbance[];
  readonly stored: Stored;
  /** What the harness asked the coordinators for at the end, by request id: the id they answered with. */
  readonly asked: ReadonlyMap<string, string>;
  /** Name of each agent by its id. */
  readonly agentNames: ReadonlyMap<string, string>;
  readonly maxRecoveries: number;
  readonly leaseMs: number;
  readonly sweepMs: number;
}

export type Rule = (history: History) => Iterable<string>;
