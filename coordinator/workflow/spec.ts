/**
 * Compiles a submitted workflow into its plan, or into the list of everything that is wrong with it.
 *
 * Siblings: `step-spec.ts` reads one step, `template.ts` its references, `requirement.ts` what it needs of an agent,
 * `fields.ts` single values, `graph.ts` orders the steps, `problems.ts` words mistakes, `limits.ts` says how much is
 * allowed. `refs.ts` later fills the plan's templates.
 *
 * Invariants:
 * 1. Never throws, whatever it is given: every value is checked before it is used.
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
 * - Cost: the step's, otherwise what `costOf` says of the input, otherwise 1. Where the input is not known yet the plan
 *   says 0: ask again for each job.
 */
import type { Problem } from '../../sdk/common/errors.ts';
import { isJsonObject, type Json } from '../../sdk/common/json.ts';
import * as field from './fields.ts';
import { findCycles, NO_EDGES, reverse } from './graph.ts';
import * as limits from './limits.ts';
import type { FailMode, Plan, PlanStep } from './plan.ts';
import { kindOf, quote, report } from './problems.ts';
import type { WorkflowSpecInput } from './spec-input.ts';
import { type CompileEnv, type Reading, readStepName } from './reading.ts';
import { type DraftStep, edgePlace, readStep } from './step-spec.ts';

export type { CompileEnv } from './reading.ts';
export type { WorkflowSpecInput } from './spec-input.ts';

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
const NO_ARGUMENTS: Json = {};

function compile(problems: Problem[], given: unknown, env: CompileEnv): Plan | undefined {
  const at = field.WORKFLOW;
  const spec: WorkflowSpecInput | undefined = field.object(problems, given ?? {}, at, 'workflow');
  if (spec === undefined) return undefined;
  const specs = field.list(problems, spec.steps, at, 'steps', limits.MAX_STEPS);
  if (specs.length === 0 && problems.length === 0)
    report(problems, 'steps', 'REQUIRED', 'there must be at least one');
  if (exceedsTotal(spec, specs)) {
    // Parsing all of it just to find more mistakes would be the attack.
    const message = `the workflow has more than ${limits.MAX_INLINE_BYTES} bytes of JSON; pass large data as artifacts`;
    report(problems, 'steps', 'INPUT_TOO_LARGE', message);
    return undefined;
  }
  const argumentsText = spec.argumentsJson;
  const args = readArguments(problems, argumentsText);
  const steps = readSteps(problems, specs, args, env, spec.allowUnknownTypes === true);
  return {
    name: field.text(problems, spec.name, at, 'name', limits.MAX_WORKFLOW_NAME_LENGTH),
    failMode: readFailMode(problems, spec.failMode),
    timeoutMs: field.wholeNumber(problems, spec.timeoutMs, at, 'timeoutMs', limits.MAX_DURATION_MS),
    retentionMs:
      field.wholeNumber(problems, spec.retentionMs, at, 'retentionMs', limits.MAX_DURATION_MS) ||
      limits.DEFAULT_RETENTION_MS,
    tags: readTags(problems, spec.tags),
    argumentsJson: args === undefined || args === NO_ARGUMENTS ? '{}' : (argumentsText as string),
    metadataJson: field.jsonObjectText(
      problems,
      spec.metadataJson,
      at,
      'metadata',
      limits.MAX_METADATA_BYTES,
    ),
    stateJson: readState(problems, spec.stateJson),
    steps,
  };
}

/** Undefined = wrong and reported. */
function readArguments(problems: Problem[], text: unknown): Json | undefined {
  if (text === undefined || text === null || text === '') return NO_ARGUMENTS;
  const args = field.json(problems, text, field.WORKFLOW, 'arguments', limits.MAX_INPUT_BYTES);
  if (args === undefined || isJsonObject(args)) return args;
  report(problems, 'arguments', 'INVALID_VALUE', `must be a JSON object, not ${kindOf(args)}`);
  return undefined;
}

function readState(problems: Problem[], text: unknown): string {
  if (text === undefined || text === null || text === '') return 'null';
  const state = field.json(problems, text, field.WORKFLOW, 'state', limits.MAX_STATE_BYTES);
  return state === undefined ? 'null' : (text as string);
}

function readFailMode(problems: Problem[], value: unknown): FailMode {
  if (value === undefined || value === null) return 'fail_fast';
  const mode = typeof value === 'number' ? FAIL_MODES[value] : undefined;
  if (mode === undefined) {
    report(problems, 'failMode', 'INVALID_VALUE', 'must be 1 (fail_fast), 2 (continue) or 3 (best_effort)');
  }
  return mode ?? 'fail_fast';
}

const NO_TAGS: readonly string[] = Object.freeze([]);

function readTags(problems: Problem[], given: unknown): readonly string[] {
  const tags = field.list(problems, given, field.WORKFLOW, 'tags', limits.MAX_TAGS);
  if (tags.length === 0) return NO_TAGS;
  const read = tags.map((tag, index) => {
    const text = field.text(problems, tag, field.WORKFLOW, `tags[${index}]`, limits.MAX_TAG_LENGTH);
    if (tag === '' || tag === null || tag === undefined)
      report(problems, `tags[${index}]`, 'REQUIRED', 'is empty');
    return text;
  });
  return [...new Set(read)];
}

function exceedsTotal(spec: WorkflowSpecInput, specs: readonly unknown[]): boolean {
  const length = totalOf(spec, specs, textLength);
  // A UTF-16 unit takes one to three bytes.
  if (length * 3 <= limits.MAX_INLINE_BYTES) return false;
  return length > limits.MAX_INLINE_BYTES || totalOf(spec, specs, textBytes) > limits.MAX_INLINE_BYTES;
}

function totalOf(
  spec: WorkflowSpecInput,
  specs: readonly unknown[],
  measure: (text: unknown) => number,
): number {
  let total = measure(spec.argumentsJson) + measure(spec.metadataJson) + measure(spec.stateJson);
  for (let index = 0; index < specs.length; index++) {
    const step = specs[index] as NonNullable<WorkflowSpecInput['steps']>[number] | null | undefined;
    total += measure(step?.inputJson) + measure(step?.metadataJson) + measure(step?.forEach?.itemsJson);
  }
  return total;
}

function textLength(text: unknown): number {
  return typeof text === 'string' ? text.length : 0;
}

function textBytes(text: unknown): number {
  return typeof text === 'string' ? field.utf8Bytes(text) : 0;
}

// Steps.

function readSteps(
  problems: Problem[],
  specs: readonly unknown[],
  args: Json | undefined,
  env: CompileEnv,
  allowUnknownTypes: boolean,
): readonly PlanStep[] {
  const stepNames = specs.map((step, index) => readStepName(problems, step, index));
  // One step has no other to be taken for.
  const names = specs.length === 1 ? undefined : indexByName(problems, stepNames);
  const reading: Reading = { problems, env, specs, stepNames, args, allowUnknownTypes, names };
  const steps: DraftStep[] = [];
  let edges = 0;
  for (let index = 0; index < specs.length; index++) {
    const step = readStep(reading, index, stepNames[index] as string);
    steps.push(step);
    edges += step.needs.length;
    if (edges > limits.MAX_DEPENDENCIES) {
      const message = `the steps have more than ${limits.MAX_DEPENDENCIES} dependencies`;
      report(problems, 'steps', 'TOO_MANY', message);
      return steps;
    }
  }
  if (edges > 0) connect(reading, steps);
  return steps;
}

function indexByName(problems: Problem[], stepNames: readonly string[]): ReadonlyMap<string, number> {
  const names = new Map<string, number>();
  for (let index = 0; index < stepNames.length; index++) {
    const name = stepNames[index] as string;
    const earlier = names.get(name);
    if (earlier === undefined) names.set(name, index);
    else {
      const message = `${quote(name)} is the name of steps[${earlier}] already`;
      report(problems, `steps[${index}].name`, 'DUPLICATE_NAME', message);
    }
  }
  return names;
}

function connect(reading: Reading, steps: readonly DraftStep[]): void {
  const needs = steps.map((step) => step.needs);
  const dependents = reverse(needs);
  for (const step of steps) step.dependents = dependents[step.index] ?? NO_EDGES;
  for (const cycle of findCycles(needs, dependents)) reportCycle(reading, steps, cycle);
}

/** Names a message lists of a long cycle. */
const LISTED_STEPS = 10;

function reportCycle(reading: Reading, steps: readonly PlanStep[], cycle: readonly number[]): void {
  const [first, second] = cycle;
  if (first === undefined || second === undefined) return;
  const names = cycle.slice(0, LISTED_STEPS).map((index) => quote(steps[index]?.name ?? ''));
  if (cycle.length > LISTED_STEPS) names.push(`${cycle.length - LISTED_STEPS} more`);
  const message = `these steps wait for one another: ${[...names, names[0]].join(' needs ')}`;
  report(reading.problems, edgePlace(reading, steps[first] as PlanStep, second), 'DAG_CYCLE', message);
}
