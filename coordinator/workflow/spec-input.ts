/**
 * A workflow as it arrives: `dibs.v1.WorkflowSpec` with camelCase names, every field possibly missing.
 *
 * Nothing here is trusted: `spec.ts` checks each value's type before it uses it.
 */

type Maybe<T> = T | null | undefined;

export interface WorkflowSpecInput {
  readonly name?: Maybe<string>;
  readonly steps?: Maybe<readonly StepSpecInput[]>;
  readonly argumentsJson?: Maybe<string>;
  readonly tags?: Maybe<readonly string[]>;
  readonly metadataJson?: Maybe<string>;
  readonly stateJson?: Maybe<string>;
  /** `dibs.v1.FailMode`. */
  readonly failMode?: Maybe<number>;
  readonly timeoutMs?: Maybe<number>;
  readonly allowUnknownTypes?: Maybe<boolean>;
  readonly retentionMs?: Maybe<number>;
}

export interface StepSpecInput {
  readonly type?: Maybe<string>;
  readonly name?: Maybe<string>;
  readonly inputJson?: Maybe<string>;
  readonly dependsOn?: Maybe<readonly string[]>;
  /** `dibs.v1.Priority`. */
  readonly priority?: Maybe<number>;
  readonly timeoutMs?: Maybe<number>;
  readonly retries?: Maybe<number>;
  readonly metadataJson?: Maybe<string>;
  readonly forEach?: Maybe<ForEachInput>;
  readonly cost?: Maybe<number>;
  readonly requirement?: Maybe<RequirementInput>;
  readonly queueTimeoutMs?: Maybe<number>;
}

export interface ForEachInput {
  readonly itemsJson?: Maybe<string>;
  readonly as?: Maybe<string>;
}

export interface RequirementInput {
  readonly labels?: Maybe<Readonly<Record<string, string>>>;
  readonly alternatives?: Maybe<readonly HardwareNeedInput[]>;
  readonly labelNeeds?: Maybe<readonly LabelNeedInput[]>;
  readonly models?: Maybe<readonly string[]>;
}

/** `operator` is the number of the wire. */
export interface LabelNeedInput {
  readonly name?: Maybe<string>;
  readonly operator?: Maybe<number>;
  readonly values?: Maybe<readonly string[]>;
}

export interface HardwareNeedInput {
  readonly gpus?: Maybe<number>;
  readonly vramBytes?: Maybe<number>;
  readonly cpuCores?: Maybe<number>;
  readonly memoryBytes?: Maybe<number>;
  readonly cost?: Maybe<number>;
  readonly gpuModels?: Maybe<readonly string[]>;
  readonly diskBytes?: Maybe<number>;
}
