/**
 * Fills the templates of a plan with outputs, arguments and items: the input of each job, as JSON text.
 *
 * Siblings: `template.ts` made the templates, `sources.ts` holds what they read, `paths.ts` walks values.
 *
 * Invariants:
 * 1. What was skipped is null wherever it is referred to, at any path, unless the reference has a default.
 * 2. A fan-out fails before its first job when any of its items lacks what the input refers to.
 * 3. What does not depend on the item is resolved once for all jobs, however many; inputs are then made one by one.
 * 4. Nothing grows far beyond `MAX_RESOLVED_INPUT_BYTES`, not even on the way: a template of many references to a large
 *    output is given up at the one that goes too far.
 * 5. Outputs come as JSON text. A reference to all of one passes its text on unchanged; what is not JSON fails the step
 *    and never breaks out of its place.
 */
import type { Json } from '../../sdk/common/json.ts';
import { exceedsBytes } from './fields.ts';
import { MAX_FAN_OUT, MAX_RESOLVED_INPUT_BYTES } from './limits.ts';
import { describeMiss, lookup } from './paths.ts';
import { type Hole, LOOP_VARIABLE, type Plan, type PlanStep, type Template } from './plan.ts';
import { kindOf } from './problems.ts';
import { type InputFailure, type Outputs, Sources } from './sources.ts';

export type { InputFailure, Outputs } from './sources.ts';

export type ResolvedInput = { readonly ok: true; readonly json: string } | InputFailure;

export interface StepInputs {
  readonly ok: true;
  /** Jobs of the step: 1 without a fan-out, 0 or more with one. */
  readonly total: number;
  /** Input of the job in this slot. */
  inputAt(slot: number): ResolvedInput;
}

/**
 * Resolves what all jobs of a step share; their inputs are then made one by one, in any order.
 * `from`: jobs before this slot were made earlier, so the items have been checked (invariant 2).
 */
export function stepInputs(
  plan: Plan,
  stepIndex: number,
  outputs: Outputs,
  from = 0,
): StepInputs | InputFailure {
  const step = plan.steps[stepIndex];
  if (step === undefined) throw new RangeError(`the plan has no step ${stepIndex}`);
  const sources = new Sources(plan, step, outputs);
  const items = itemsOf(step, sources);
  if (!items.ok) return items;
  const { total, itemAt } = items;
  const { input } = step;
  if (input.kind === 'literal') {
    const same: ResolvedInput = { ok: true, json: input.json };
    return { ok: true, total, inputAt: () => same };
  }
  // Without a job nothing is looked up, so nothing can be missing.
  if (total === 0)
    return { ok: true, total, inputAt: () => sources.unresolved('forEach.items', 'makes no jobs') };
  const parts = fillShared(input.parts, sources);
  if (!Array.isArray(parts)) return parts as InputFailure;
  const missing = from === 0 ? missingInItems(parts, items, sources) : undefined;
  return missing ?? { ok: true, total, inputAt: (slot) => fillItem(parts, itemAt(slot), sources) };
}

/** Inputs of all jobs of a step at once, in slot order; one failure fails them all. */
export function resolveStep(
  plan: Plan,
  stepIndex: number,
  outputs: Outputs,
): { readonly ok: true; readonly jobs: readonly string[] } | InputFailure {
  const inputs = stepInputs(plan, stepIndex, outputs);
  if (!inputs.ok) return inputs;
  const jobs: string[] = [];
  for (let slot = 0; slot < inputs.total; slot++) {
    const input = inputs.inputAt(slot);
    if (!input.ok) return input;
    jobs.push(input.json);
  }
  return { ok: true, jobs };
}

/** Indexes of the steps whose outputs `stepInputs` will ask for, ascending: all that need be loaded. */
export function outputsRead(step: PlanStep): readonly number[] {
  const read = new Set<number>();
  const add = (parts: Template): void => {
    for (const part of parts) if (typeof part !== 'string' && part.source >= 0) read.add(part.source);
  };
  if (step.input.kind === 'template') add(step.input.parts);
  if (step.fanOut?.kind === 'ref') add(step.fanOut.parts);
  return [...read].sort((a, b) => a - b);
}

const planned = new WeakMap<PlanStep, StepInputs>();

/** Whether the plan alone tells the inputs of a step's jobs: they are then kept nowhere else. */
export function isPlanned(step: PlanStep): boolean {
  return step.input.kind === 'literal' || outputsRead(step).length === 0;
}

/** The input of a job of such a step, which was made before: so it can be made. */
export function plannedInput(plan: Plan, stepIndex: number, slot: number): string {
  const step = plan.steps[stepIndex];
  if (step === undefined) throw new RangeError(`the plan has no step ${stepIndex}`);
  if (step.input.kind === 'literal') return step.input.json;
  let inputs = planned.get(step);
  if (inputs === undefined) {
    const made = stepInputs(plan, stepIndex, () => null, 1);
    if (!made.ok) throw new Error(`${made.path}: ${made.message}`);
    inputs = made;
    planned.set(step, inputs);
  }
  const input = inputs.inputAt(slot);
  if (!input.ok) throw new Error(`${input.path}: ${input.message}`);
  return input.json;
}

/** Output of a fan-out step: `{"items":[…]}` of the outputs of its jobs, each JSON text; absent ones are null. */
export function combineOutputs(outputs: readonly (string | null | undefined)[]): string {
  let text = '{"items":[';
  for (let index = 0; index < outputs.length; index++) {
    if (index > 0) text += ',';
    text += outputs[index] || 'null';
  }
  return `${text}]}`;
}

// Items.

interface Items {
  readonly ok: true;
  readonly total: number;
  readonly itemAt: (slot: number) => Json;
}

const ONE_JOB: Items = { ok: true, total: 1, itemAt: () => null };

function itemsOf(step: PlanStep, sources: Sources): Items | InputFailure {
  const { fanOut } = step;
  if (fanOut === null) return ONE_JOB;
  if (fanOut.kind === 'count') return counted(fanOut.count);
  if (fanOut.kind === 'items') return listed(fanOut.items);
  const found = valueOf(fanOut.parts, sources);
  if (!found.ok) return found;
  const { value } = found;
  const total = Array.isArray(value) ? value.length : value;
  if (typeof total !== 'number' || !Number.isInteger(total) || total < 0) {
    return sources.unresolved(
      'forEach.items',
      `must be a list or a whole number, but is ${describeItems(value)}`,
    );
  }
  if (total > MAX_FAN_OUT) return sources.tooMany(total);
  return Array.isArray(value) ? listed(value) : counted(total);
}

/** The two slips people make: a list that was skipped, and a fan-out's output instead of the list in it. */
function describeItems(value: Json): string {
  if (typeof value === 'number') return String(value);
  if (value === null) return 'null; with the default [] there would be no jobs';
  const hasItems =
    typeof value === 'object' && !Array.isArray(value) && Array.isArray(lookup(value, ['items']));
  return hasItems ? 'an object; its list is output.items' : kindOf(value);
}

function counted(total: number): Items {
  return { ok: true, total, itemAt: (slot) => slot };
}

function listed(items: readonly Json[]): Items {
  return { ok: true, total: items.length, itemAt: (slot) => items[slot] ?? null };
}

/** The value of a template without a loop variable. */
function valueOf(parts: Template, sources: Sources): Found | InputFailure {
  const [only] = parts;
  if (parts.length === 1 && typeof only === 'object') return find(only, sources);
  const filled = fillShared(parts, sources);
  return Array.isArray(filled)
    ? { ok: true, value: JSON.parse(filled.join('')) as Json }
    : (filled as InputFailure);
}

// Holes.

/** `text`: the value's JSON, where it is at hand. */
interface Found {
  readonly ok: true;
  readonly value: Json;
  readonly text?: string;
}

const NULL: Found = { ok: true, value: null, text: 'null' };

/** The value a hole that is not about the item stands for. */
function find(hole: Hole, sources: Sources): Found | InputFailure {
  const source = sources.get(hole.source);
  if (source.kind === 'none') return sources.unresolved(hole.at, source.why);
  // Invariant 1.
  if (source.kind === 'skipped') return defaultOf(hole) ?? NULL;
  if (hole.path.length === 0) return { ok: true, value: source.value, text: source.text };
  return findIn(source.value, hole, sources);
}

function findIn(whole: Json, hole: Hole, sources: Sources): Found | InputFailure {
  const value = lookup(whole, hole.path);
  if (value !== undefined) return { ok: true, value };
  return (
    defaultOf(hole) ??
    sources.unresolved(hole.at, describeMiss(whole, hole.path, sources.nameOf(hole.source)))
  );
}

function defaultOf(hole: Hole): Found | undefined {
  const text = hole.fallback;
  return text === null ? undefined : { ok: true, value: JSON.parse(text) as Json, text };
}

/** JSON text that goes into a hole. */
function render(hole: Hole, { value, text }: Found): string {
  if (!hole.embedded) return text ?? JSON.stringify(value);
  if (value === null) return '';
  return JSON.stringify(typeof value === 'string' ? value : JSON.stringify(value)).slice(1, -1);
}

/** Fills every hole that is not about the item; neighbouring texts become one. */
function fillShared(parts: Template, sources: Sources): readonly (string | Hole)[] | InputFailure {
  const filled: (string | Hole)[] = [];
  let text = '';
  let length = 0;
  for (const part of parts) {
    if (typeof part === 'string') text += part;
    else if (part.source === LOOP_VARIABLE) {
      if (text !== '') filled.push(text);
      filled.push(part);
      length += text.length;
      text = '';
    } else {
      const found = find(part, sources);
      if (!found.ok) return found;
      text += render(part, found);
      if (length + text.length > MAX_RESOLVED_INPUT_BYTES) return sources.tooLarge(part.at);
    }
  }
  if (text !== '') filled.push(text);
  return filled;
}

/** Invariant 2. */
function missingInItems(parts: Template, items: Items, sources: Sources): InputFailure | undefined {
  const holes = parts.filter(
    (part) => typeof part !== 'string' && part.path.length > 0 && part.fallback === null,
  );
  for (let slot = 0; holes.length > 0 && slot < items.total; slot++) {
    for (const hole of holes as readonly Hole[]) {
      const found = findIn(items.itemAt(slot), hole, sources);
      if (!found.ok) return { ...found, message: `${found.message} (item ${slot})` };
    }
  }
  return undefined;
}

function fillItem(parts: Template, item: Json, sources: Sources): ResolvedInput {
  let json = '';
  for (const part of parts) {
    if (typeof part === 'string') json += part;
    else {
      const found = findIn(item, part, sources);
      if (!found.ok) return found;
      json += render(part, found);
      if (json.length > MAX_RESOLVED_INPUT_BYTES) return sources.tooLarge(part.at);
    }
  }
  return exceedsBytes(json, MAX_RESOLVED_INPUT_BYTES) ? sources.tooLarge('input') : { ok: true, json };
}
