/** Workflows for the tests of this folder, with as little in them as a test needs. */
import {
  type CompileEnv,
  compileWorkflow,
  type WorkflowSpecInput,
} from '../../../coordinator/workflow/spec.ts';
import type { StepSpecInput } from '../../../coordinator/workflow/spec-input.ts';
import type { Plan } from '../../../coordinator/workflow/plan.ts';

export const ENV: CompileEnv = { knownTypes: new Set(['text.sum', 'image.make', 'image.upscale']) };

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A step as people write it: `input`, `items` as values. */
export interface Written {
  type?: string;
  name?: string;
  input?: unknown;
  dependsOn?: string[];
  items?: unknown;
  as?: string;
}

export function step(written: Written = {}): StepSpecInput {
  const spec: Mutable<StepSpecInput> = { type: written.type ?? 'text.sum' };
  if (written.name !== undefined) spec.name = written.name;
  if (written.input !== undefined) spec.inputJson = JSON.stringify(written.input);
  if (written.dependsOn !== undefined) spec.dependsOn = written.dependsOn;
  if (written.items !== undefined) {
    spec.forEach = {
      itemsJson: JSON.stringify(written.items),
      ...(written.as !== undefined && { as: written.as }),
    };
  }
  return spec;
}

/** The plan of a workflow that has no mistakes. */
export function planOf(spec: WorkflowSpecInput, env: CompileEnv = ENV): Plan {
  const result = compileWorkflow(spec, env);
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 1));
  return result.plan;
}

/** `path REASON` of every mistake. */
export function mistakes(spec: WorkflowSpecInput, env: CompileEnv = ENV): string[] {
  const result = compileWorkflow(spec, env);
  return result.ok ? [] : result.problems.map((problem) => `${problem.path} ${problem.reason}`);
}

/** The sentence of the only mistake. */
export function sentence(spec: WorkflowSpecInput, env: CompileEnv = ENV): string {
  const result = compileWorkflow(spec, env);
  if (result.ok || result.problems.length !== 1) throw new Error(JSON.stringify(result));
  return result.problems[0]?.message ?? '';
}

export function steps(...written: Written[]): WorkflowSpecInput {
  return { steps: written.map(step) };
}
