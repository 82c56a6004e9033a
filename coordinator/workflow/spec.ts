/**
 * Compiles a submitted workflow into its plan, or into the list of everything that is wrong with it.
 *
 * Siblings: `step-spec.ts` reads one step, `template.ts` its references, `requirement.ts` what it needs of an agent,
 * `fields.ts` single values, `graph.ts` orders the steps, `problems.ts` words mistakes, `limits.ts` says how much is
 * allowed. `refs.ts` later fills the plan's templates.
 *
 * Invariants:
 * 1. Never throws, whatever it is given. Every value is checked before use and read once.
 * 2. All mistakes come out together, each with its place (`steps[1].input.image.$ref`). A plan exists only without any.
 * 3. References and `dependsOn` are one set of edges; a plan has no cycle.
 * 4. Work grows with the size of the submitted text only. The path of a workflow of one step without references
 *    allocates the plan and what JSON.parse makes, little else: it runs tens of thousands of times a second.
 *
 * Decisions:
 * - `inputJson` absent and the step depends on others: its input is the combined outputs of the steps in `dependsOn`,
 *   `{"<name>": <output>, …}`, also of a single one; in a fan-out with the loop variable, `{"item": <item>, …}`.
 *   An explicit `{}` stays `{}`. Absent without either: `{}`.
 * - References into the arguments are checked here: what they lack at submit they lack for ever.
 * - Cost: the step's, otherwise what `costOf` says of the input (of `undefined`, where the input holds references or
 *   differs from job to job), otherwise 1.
 */
import type { Problem } from '../../sdk/common/errors.ts';
import { FORBIDDEN_KEYS, isJsonObject, type Json } from '../../sdk/common/json.ts';
import * as field from './fields.ts';
import { type Edges, findCycles, NO_EDGES, reverse } from './graph.ts';
import * as limits from './limits.ts';
import type { FailMode, Hole, Plan } from './plan.ts';
import { quote, report } from './problems.ts';
import type { WorkflowSpecInput } from './spec-input.ts';
import { type DraftStep, readStep } from './step-spec.ts';
import { sourceOf, type Scope } from './template.ts';

/** What compiling depends on besides the workflow. */
export interface CompileEnv {
  /** Step types that agents ever advertised. */
  readonly knownTypes: ReadonlySet<string>;
  /** Cost an executor declares for an input; undefined = the input is not known yet. No number above 0 = not declared. */
  costOf?(type: string, input: Json | undefined): number;
}

export type CompileResult =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export function compileWorkflow(spec: WorkflowSpecInput, env: CompileEnv): CompileResult {
  const problems: Problem[] = [];
  try {
    const plan = compile(problems, spec, env);
    if (plan !== undefined && problems.length === 0) return { ok: true, plan };
  } catch {
    // Only an object that throws when it is read (a getter, a proxy) leads here.
    report(problems, 'workflow', 'INVALID_VALUE', 'could not be read');
  }
  return { ok: false, problems };
}

const FAIL_MODES: readonly FailMode[] = ['fail_fast', 'fail_fast', 'continue', 'best_effort'];

function compile(problems: Problem[], given: unknown, env: CompileEnv): Plan | undefined {
  const spec = field.object(problems, given ?? undefined, field.WORKFLOW, 'workflow') as WorkflowSpecInput | undefined;
  if (spec === undefined) {
    if (problems.length === 0) report(problems, 'workflow', 'REQUIRED', 'is missing');
    return undefined;
  }
  const specs = field.list(problems, spec.steps, field.WORKFLOW, 'steps', limits.MAX_STEPS);
  const argumentsText = spec.argumentsJson;
  const args = readArguments(problems, argumentsText);
  const reading: Reading = { problems, env, specs, args, allowUnknownTypes: spec.allowUnknownTypes === true };
  const steps = readSteps(reading);
  const plan: Plan = {
    name: field.text(problems, spec.name, field.WORKFLOW, 'name', limits.MAX_WORKFLOW_NAME_LENGTH),
    failMode: readFailMode(problems, spec.failMode),
    timeoutMs: field.wholeNumber(problems, spec.timeoutMs, field.WORKFLOW, 'timeoutMs', limits.MAX_DURATION_MS),
    retentionMs:
      field.wholeNumber(problems, spec.retentionMs, field.WORKFLOW, 'retentionMs', limits.MAX_DURATION_MS) ||
      limits.DEFAULT_RETENTION_MS,
    tags: readTags(problems, spec.tags),
    argumentsJson: args === undefined || args === NO_ARGUMENTS ? '{}' : (argumentsText as string),
    metadataJson: field.jsonObjectText(
      problems,
      spec.metadataJson,
      field.WORKFLOW,
      'metadata',
      limits.MAX_METADATA_BYTES,
    ),
    stateJson: readState(problems, spec.stateJson),
    steps,
  };
  checkTotalSize(problems, plan, specs);
  return plan;
}
