/**
 * Plans as bytes: one msgpack value, written once at submit, read by whoever serves the workflow.
 *
 * Invariants: the same plan gives the same bytes (a repeated submit is recognised by comparing them); dependents are
 * derived from needs when read.
 */
import { pack, unpack } from '../queue/codec.ts';
import type {
  Band,
  FailMode,
  FanOut,
  HardwareNeed,
  InputTemplate,
  Plan,
  PlanStep,
  Requirement,
  Template,
} from './plan.ts';

const FAIL_MODES: readonly FailMode[] = ['fail_fast', 'continue', 'best_effort'];

type PackedStep = [
  name: string,
  type: string,
  needs: readonly number[],
  literal: string | false,
  template: string | false,
  fanOut: string | false,
  band: number,
  timeoutMs: number,
  queueTimeoutMs: number,
  retries: number,
  cost: number,
  requirement: string | false,
  queue: string,
  metadata: string,
];

type PackedPlan = [
  name: string,
  failMode: number,
  timeoutMs: number,
  retentionMs: number,
  tags: readonly string[],
  argumentsJson: string,
  metadataJson: string,
  stateJson: string,
  steps: PackedStep[],
];

export function packPlan(plan: Plan): Buffer {
  const steps = plan.steps.map((step): PackedStep => [
    step.name,
    step.type,
    step.needs,
    step.input.kind === 'literal' ? step.input.json : false,
    step.input.kind === 'template' ? JSON.stringify(step.input.parts) : false,
    step.fanOut === null ? false : JSON.stringify(step.fanOut),
    step.band,
    step.timeoutMs,
    step.queueTimeoutMs,
    step.retries,
    step.cost,
    step.requirement === null ? false : JSON.stringify(step.requirement),
    step.queue,
    step.metadataJson,
  ]);
  const packed: PackedPlan = [
    plan.name,
    FAIL_MODES.indexOf(plan.failMode),
    plan.timeoutMs,
    plan.retentionMs,
    plan.tags,
    plan.argumentsJson,
    plan.metadataJson,
    plan.stateJson,
    steps,
  ];
  return pack(packed);
}

export function unpackPlan(bytes: Buffer): Plan {
  const packed = unpack<PackedPlan>(bytes);
  const dependents: number[][] = packed[8].map(() => []);
  packed[8].forEach((step, index) => {
    for (const need of step[2]) dependents[need]?.push(index);
  });
  return {
    name: packed[0],
    failMode: FAIL_MODES[packed[1]] ?? 'fail_fast',
    timeoutMs: packed[2],
    retentionMs: packed[3],
    tags: packed[4],
    argumentsJson: packed[5],
    metadataJson: packed[6],
    stateJson: packed[7],
    steps: packed[8].map((step, index): PlanStep => readPlanStep(step, index, dependents[index] ?? [])),
  };
}

function readPlanStep(step: PackedStep, index: number, dependents: readonly number[]): PlanStep {
  const input: InputTemplate =
    step[3] !== false
      ? { kind: 'literal', json: step[3] }
      : { kind: 'template', parts: JSON.parse(step[4] as string) as Template };
  return {
    index,
    name: step[0],
    type: step[1],
    needs: step[2],
    dependents,
    input,
    fanOut: step[5] === false ? null : (JSON.parse(step[5]) as FanOut),
    band: step[6] as Band,
    timeoutMs: step[7],
    queueTimeoutMs: step[8],
    retries: step[9],
    cost: step[10],
    requirement:
      step[11] === false ? null : (JSON.parse(step[11]) as Requirement & { alternatives: HardwareNeed[] }),
    queue: step[12],
    metadataJson: step[13],
  };
}
