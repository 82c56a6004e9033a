/**
 * The workflow as a caller writes it: plain values where the wire has JSON text, words where it has numbers.
 *
 * `workflow-spec.ts` turns it into the wire's `WorkflowSpec`; `dibs workflow submit` reads files of this shape.
 */
import type { Ref } from './refs.ts';
import type { Duration, Size } from './quantities.ts';

export type FailModeName = 'fail_fast' | 'continue' | 'best_effort';
export type PriorityName = 'low' | 'normal' | 'high';

export interface WorkflowInput {
  /** For people. */
  readonly name?: string;
  /** At least one. */
  readonly steps: readonly StepInput[];
  /** Read by `args('…')`. */
  readonly arguments?: Readonly<Record<string, unknown>>;
  /** Indexed: `list({ filter: 'tag=nightly' })`. */
  readonly tags?: readonly string[];
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Opaque; comes back on reads and on the terminal event. */
  readonly state?: unknown;
  /** Default `fail_fast`. */
  readonly failMode?: FailModeName;
  /** From start to expiry; default none. */
  readonly timeout?: Duration;
  /** How long it stays readable after it ends; default 30 days. */
  readonly retention?: Duration;
  /** Queue it even when no agent ever offered one of its step types. */
  readonly allowUnknownTypes?: boolean;
}

export interface StepInput {
  /** Selects the executor: `image.resize`. */
  readonly type: string;
  /** Unique in the workflow; default its index. */
  readonly name?: string;
  /** JSON; may hold references anywhere. */
  readonly input?: unknown;
  /** Steps to wait for besides those that `input` refers to. */
  readonly dependsOn?: readonly string[];
  readonly forEach?: ForEachInput;
  readonly priority?: PriorityName;
  /** Of one attempt's running time; default none. */
  readonly timeout?: Duration;
  /** Of a job's time in its queue; default none. */
  readonly queueTimeout?: Duration;
  /** Attempts after the first; default 0. */
  readonly retries?: number;
  /** Relative complexity of each job; default what the executor declares. */
  readonly cost?: number;
  readonly requirement?: RequirementInput;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** One job for each item. In `input`, `ref(as)` is the item. */
export interface ForEachInput {
  /** A list, a number n (items 0 to n-1), or a reference to a list. */
  readonly items: readonly unknown[] | number | Ref;
  /** Default `item`. */
  readonly as?: string;
}

export interface RequirementInput {
  /** A text must be equal on the agent; an object says how else the label is compared. All must hold. */
  readonly labels?: Readonly<Record<string, string | LabelConditions>>;
  /** Any one suffices. */
  readonly alternatives?: readonly HardwareNeedInput[];
  /** Names of models the agent must be able to provide for the step's type. */
  readonly models?: readonly string[];
}

/** Conditions on one label, all of which must hold. Numbers are compared as decimals; a label that is none never compares. */
export interface LabelConditions {
  readonly in?: readonly string[];
  /** Holds where the label is absent, too. */
  readonly notIn?: readonly string[];
  readonly exists?: boolean;
  readonly '<'?: number | string;
  readonly '<='?: number | string;
  readonly '>'?: number | string;
  readonly '>='?: number | string;
}

export interface HardwareNeedInput {
  readonly gpus?: number;
  /** Of each GPU. */
  readonly vram?: Size;
  readonly cpuCores?: number;
  readonly memory?: Size;
  /** Parts of model names, in any case: each GPU counted is one of these. */
  readonly gpuModels?: readonly string[];
  /** Free disk space. */
  readonly disk?: Size;
  /** Cost of the job on this alternative; default the step's. */
  readonly cost?: number;
}
