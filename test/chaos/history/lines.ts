/**
 * What the processes of a chaos run write down, one JSON object a line, as it happens: a process that is killed loses
 * nothing it knew. `at` is the machine's monotonic clock in milliseconds, the same in all processes.
 */
import type { ShapeName } from '../workload/shapes.ts';

/** A consumer's log. */
export type ConsumerLine =
  /** It is about to submit. */
  | {
      readonly op: 'invoke';
      readonly at: number;
      readonly key: string;
      readonly index: number;
      readonly shape: ShapeName;
    }
  /** Acknowledged. */
  | {
      readonly op: 'ok';
      readonly at: number;
      readonly key: string;
      readonly id: string;
      readonly duplicate: boolean;
    }
  /** Refused for good: it must not exist. */
  | { readonly op: 'refused'; readonly at: number; readonly key: string; readonly reason: string }
  /** No answer: it may or may not exist. */
  | { readonly op: 'unknown'; readonly at: number; readonly key: string; readonly reason: string }
  /** Submitted again after the acknowledgement, with the same or another body. */
  | {
      readonly op: 'again';
      readonly at: number;
      readonly key: string;
      readonly body: 'same' | 'other';
      /** Id it was answered with; empty = it was refused, with this reason. */
      readonly id: string;
      readonly reason: string;
    }
  /** An event it was told; `watcher` counts watches of this process. */
  | {
      readonly op: 'event';
      readonly at: number;
      readonly id: string;
      readonly watcher: string;
      readonly sequence: number;
      readonly cursor: string;
      readonly type: string;
      readonly jobId: string;
      readonly agentId: string;
    }
  | {
      readonly op: 'resync';
      readonly at: number;
      readonly id: string;
      readonly watcher: string;
      readonly sequence: number;
    }
  /** It was told of the end. */
  | {
      readonly op: 'end';
      readonly at: number;
      readonly key: string;
      readonly id: string;
      readonly status: string;
      readonly n: number | null;
    };

/** An agent's run log, written by its executors. */
export interface RunLine {
  readonly op: 'begin' | 'end' | 'broken';
  readonly at: number;
  readonly run: string;
  /** Name of the agent. */
  readonly agent: string;
  readonly jobId: string;
  readonly attempt: number;
}
