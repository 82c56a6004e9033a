/**
 * The plan: a workflow after compilation. Immutable, kept with the run, cached by coordinators.
 *
 * Siblings: `spec.ts` compiles a submitted workflow into a plan, `refs.ts` resolves inputs against outputs,
 * `engine.ts` decides over it. Step indexes are positions in `steps` and never change.
 */
import type { Json } from '../../sdk/common/json.ts';

export type FailMode = 'fail_fast' | 'continue' | 'best_effort';

/** 0 low, 1 normal, 2 high: the queue band. */
export type Band = 0 | 1 | 2;

/** What a job needs of an agent besides the step type. */
export interface Requirement {
  /** Equal. */
  readonly labels: Readonly<Record<string, string>>;
  readonly alternatives: readonly HardwareNeed[];
  /** Absent = none; likewise the other optional parts. */
  readonly labelNeeds?: readonly LabelNeed[];
  /** Models the agent must be able to provide for the step type. */
  readonly models?: readonly string[];
}

/** Operators that compare numbers come last. */
export const LABEL_OPERATORS = ['in', 'notIn', 'exists', 'notExists', '<', '<=', '>', '>='] as const;
export type LabelOperator = (typeof LABEL_OPERATORS)[number];

export interface LabelNeed {
  readonly name: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

export interface HardwareNeed {
  readonly gpus: number;
  readonly vramBytes: number;
  readonly cpuCores: number;
  readonly memoryBytes: number;
  /** 0 = the step's cost. */
  readonly cost: number;
  /** Parts of names, in lower case; each GPU counted has one of them in its own. */
  readonly gpuModels?: readonly string[];
  /** Free disk space. */
  readonly diskBytes?: number;
}

/** Sources of a reference that are not steps (those are their index). */
export const ARGUMENTS = -1;
export const LOOP_VARIABLE = -2;

/** A reference inside a template: the place where a value goes. */
export interface Hole {
  /** Index of the step whose output it reads, or `ARGUMENTS`, or `LOOP_VARIABLE`. */
  readonly source: number;
  /** Names and positions from that output, those arguments or that item on; empty = all of it. */
  readonly path: readonly (string | number)[];
  /** JSON text taken where the path finds nothing; null = then the step fails. */
  readonly fallback: string | null;
  /** True inside a longer string: the value becomes text. False: it stays what it is. */
  readonly embedded: boolean;
  /** Where it stands in the step, for example `input.image.$ref`. */
  readonly at: string;
}

/** JSON text with holes: filled in one after the other, the parts give one JSON value. */
export type Template = readonly (string | Hole)[];

/** An input known at submit (kept as the submitted text), or one with references to resolve. */
export type InputTemplate =
  | { readonly kind: 'literal'; readonly json: string }
  | { readonly kind: 'template'; readonly parts: Template };

/** What a step fans out over. `ref`: a list or a whole number that is known only when its references are. */
export type FanOut =
  | { readonly kind: 'count'; readonly count: number; readonly as: string }
  | { readonly kind: 'items'; readonly items: readonly Json[]; readonly as: string }
  | { readonly kind: 'ref'; readonly parts: Template; readonly as: string };

export interface PlanStep {
  readonly index: number;
  readonly name: string;
  readonly type: string;
  /** Indexes of the steps it depends on, ascending, each once. */
  readonly needs: readonly number[];
  /** Indexes of the steps that depend on it, ascending, each once. */
  readonly dependents: readonly number[];
  readonly input: InputTemplate;
  /** Null = exactly one job. */
  readonly fanOut: FanOut | null;
  readonly band: Band;
  /** Milliseconds; 0 = none. */
  readonly timeoutMs: number;
  readonly queueTimeoutMs: number;
  readonly retries: number;
  /** Of each job; 0 = what the executor declares for the job's input, which is known only when the job is made. */
  readonly cost: number;
  readonly requirement: Requirement | null;
  /** Name of the capability queue its jobs stand in (see `queue/classes.ts`). */
  readonly queue: string;
  readonly metadataJson: string;
}

export interface Plan {
  readonly name: string;
  readonly failMode: FailMode;
  /** Milliseconds; 0 = none. */
  readonly timeoutMs: number;
  /** Milliseconds from its end on, more than 0. */
  readonly retentionMs: number;
  readonly tags: readonly string[];
  readonly argumentsJson: string;
  readonly metadataJson: string;
  readonly stateJson: string;
  readonly steps: readonly PlanStep[];
}
