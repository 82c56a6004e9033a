/** Reads one step of a submitted workflow. The rules are those in `spec.ts`. */
import type { Problem } from '../../sdk/common/errors.ts';
import type { Json } from '../../sdk/common/json.ts';
import { queueName } from '../queue/classes.ts';
import * as field from './fields.ts';
import { NO_EDGES } from './graph.ts';
import * as limits from './limits.ts';
import type { Band, PlanStep } from './plan.ts';
import { kindOf, quote, report, suggestion } from './problems.ts';
import { type CompileEnv, namesOf, type Reading, scopeOf } from './reading.ts';
import { readRequirement } from './requirement.ts';
import type { StepSpecInput } from './spec-input.ts';
import { addSources, readFanOut, readInput } from './step-input.ts';
import { sourceOf } from './scope.ts';

/** A step whose dependents are filled in once all steps are read. */
export type DraftStep = PlanStep & { dependents: readonly number[] };

const TYPE = /^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$/;

export function readStep(reading: Reading, index: number, name: string): DraftStep {
  const { problems } = reading;
  const given = reading.specs[index];
  const readable = typeof given === 'object' && given !== null && !Array.isArray(given);
  if (!readable)
    report(problems, `steps[${index}]`, 'INVALID_VALUE', `must be an object, not ${kindOf(given)}`);
  // An unreadable one is read on as an empty one, so that the steps behind it keep their indexes.
  const spec: StepSpecInput = readable ? given : {};
  const type = readable ? readType(reading, spec.type, index) : '';
  const named = readDependencies(reading, spec.dependsOn, index);
  const fanOut = readFanOut(reading, spec.forEach, index);
  const input = readInput(reading, spec.inputJson, index, named, fanOut);
  const requirement = readRequirement(problems, spec.requirement, index);
  let needs = named;
  if (fanOut?.kind === 'ref' || input.template.kind === 'template') {
    const all = [...named];
    if (fanOut?.kind === 'ref') addSources(fanOut.parts, all);
    if (input.template.kind === 'template') addSources(input.template.parts, all);
    needs = ascending(all);
  }
  return {
    index,
    name,
    type,
    needs,
    dependents: NO_EDGES,
    input: input.template,
    fanOut,
    band: readBand(problems, spec.priority, index),
    timeoutMs: field.wholeNumber(problems, spec.timeoutMs, index, 'timeoutMs', limits.MAX_DURATION_MS),
    queueTimeoutMs: field.wholeNumber(
      problems,
      spec.queueTimeoutMs,
      index,
      'queueTimeoutMs',
      limits.MAX_DURATION_MS,
    ),
    retries: field.wholeNumber(problems, spec.retries, index, 'retries', limits.MAX_RETRIES),
    cost:
      field.amount(problems, spec.cost, index, 'cost', limits.MAX_COST) ||
      declaredCost(reading.env, type, input.value),
    requirement,
    queue: queueName(type, requirement),
    metadataJson: field.jsonObjectText(
      problems,
      spec.metadataJson,
      index,
      'metadata',
      limits.MAX_METADATA_BYTES,
    ),
  };
}

function readType(reading: Reading, type: unknown, index: number): string {
  const { problems, env } = reading;
  if (type === undefined || type === null || type === '') {
    report(problems, `steps[${index}].type`, 'REQUIRED', 'a step has a type');
    return '';
  }
  if (typeof type !== 'string' || !TYPE.test(type)) {
    const shape = '1 to 128 of A-Z a-z 0-9 _ . : / - and begin with a letter or digit';
    const message =
      typeof type === 'string'
        ? `${quote(type)} is no step type: it must be ${shape}`
        : `must be text, not ${kindOf(type)}`;
    report(problems, `steps[${index}].type`, 'INVALID_VALUE', message);
    return '';
  }
  if (!reading.allowUnknownTypes && !env.knownTypes.has(type)) {
    const meant = suggestion(type, env.knownTypes, problems);
    const message = `no agent ever offered ${quote(type)}${meant || '; allowUnknownTypes queues it nevertheless'}`;
    report(problems, `steps[${index}].type`, 'UNKNOWN_STEP_TYPE', message);
  }
  return type;
}

function readBand(problems: Problem[], priority: unknown, index: number): Band {
  switch (priority) {
    case undefined:
    case null:
    case 0:
    case 2:
      return 1;
    case 1:
      return 0;
    case 3:
      return 2;
    default:
      report(
        problems,
        `steps[${index}].priority`,
        'INVALID_VALUE',
        'must be 1 (low), 2 (normal) or 3 (high)',
      );
      return 1;
  }
}

/** 0 = it depends on an input that is not known yet. */
function declaredCost(env: CompileEnv, type: string, input: Json | undefined): number {
  if (env.costOf === undefined) return limits.DEFAULT_COST;
  return input === undefined ? 0 : saneCost(env.costOf(type, input));
}

/** A cost as declared, brought into bounds; the default where there is none. */
function saneCost(declared: number): number {
  // False for NaN, too.
  return declared > 0 ? Math.min(declared, limits.MAX_COST) : limits.DEFAULT_COST;
}

/** Indexes of the steps that `dependsOn` names, ascending. */
function readDependencies(reading: Reading, given: unknown, index: number): readonly number[] {
  const { problems } = reading;
  const names = field.list(problems, given, index, 'dependsOn', limits.MAX_STEPS);
  if (names.length === 0) return NO_EDGES;
  const scope = scopeOf(reading, index, null);
  const needs: number[] = [];
  for (let position = 0; position < names.length; position++) {
    const name = names[position];
    const source = typeof name === 'string' ? sourceOf(name, scope) : index;
    if (source >= 0 && source !== index) needs.push(source);
    else reportDependency(reading, name, index, `steps[${index}].dependsOn[${position}]`);
  }
  return ascending(needs);
}

function reportDependency(reading: Reading, name: unknown, index: number, place: string): void {
  const { problems } = reading;
  if (typeof name !== 'string') {
    report(problems, place, 'INVALID_VALUE', `must be the name of a step, not ${kindOf(name)}`);
  } else if (sourceOf(name, scopeOf(reading, index, null)) === index) {
    report(problems, place, 'DAG_CYCLE', 'a step cannot depend on itself');
  } else {
    const meant = suggestion(name, namesOf(reading).keys(), problems);
    report(problems, place, 'UNKNOWN_DEPENDENCY', `no step is called ${quote(name)}${meant}`);
  }
}

function ascending(needs: number[]): readonly number[] {
  if (needs.length < 2) return needs;
  return [...new Set(needs)].sort((a, b) => a - b);
}

/** Where a step says that it needs another one. */
export function edgePlace(reading: Reading, step: PlanStep, need: number): string {
  const given: unknown = (reading.specs[step.index] as StepSpecInput).dependsOn;
  const names: readonly unknown[] = Array.isArray(given) ? given : [];
  const scope = scopeOf(reading, step.index, null);
  const position = names.findIndex((name) => typeof name === 'string' && sourceOf(name, scope) === need);
  if (position >= 0) return `steps[${step.index}].dependsOn[${position}]`;
  const parts = [
    ...(step.input.kind === 'template' ? step.input.parts : []),
    ...(step.fanOut?.kind === 'ref' ? step.fanOut.parts : []),
  ];
  for (const part of parts) {
    if (typeof part !== 'string' && part.source === need) return `steps[${step.index}].${part.at}`;
  }
  return `steps[${step.index}]`;
}
