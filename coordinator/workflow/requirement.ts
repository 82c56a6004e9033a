/** Reads what a step requires of an agent, into its one canonical form (`queue/classes.ts`). */
import type { Problem } from '../../sdk/common/errors.ts';
import { FORBIDDEN_KEYS } from '../../sdk/common/json.ts';
import { normalizeRequirement } from '../queue/classes.ts';
import { isNumber } from '../queue/match.ts';
import * as field from './fields.ts';
import * as limits from './limits.ts';
import { formatPath } from './paths.ts';
import { LABEL_OPERATORS } from './plan.ts';
import type { HardwareNeed, LabelNeed, Requirement } from './plan.ts';
import { kindOf, report } from './problems.ts';
import type { HardwareNeedInput, LabelNeedInput, RequirementInput } from './spec-input.ts';

/** Null = every agent with the step type will do. */
export function readRequirement(problems: Problem[], given: unknown, step: number): Requirement | null {
  const requirement = field.object(problems, given, step, 'requirement') as RequirementInput | undefined;
  if (requirement === undefined) return null;
  const labels = readLabels(problems, requirement.labels, step);
  const place = 'requirement.alternatives';
  const alternatives = field
    .list(problems, requirement.alternatives, step, place, limits.MAX_ALTERNATIVES)
    .map((need, index) => readNeed(problems, need, step, `${place}[${index}]`));
  const labelNeeds = field
    .list(problems, requirement.labelNeeds, step, 'requirement.labelNeeds', limits.MAX_LABELS)
    .flatMap((need, index) => readLabelNeed(problems, need, step, `requirement.labelNeeds[${index}]`) ?? []);
  const models = readNames(problems, requirement.models, step, 'requirement.models', limits.MAX_MODELS);
  return normalizeRequirement({ labels, alternatives, labelNeeds, models });
}

/** Numbers of values an operator takes, least and most. */
function valuesOf(operator: LabelNeed['operator']): readonly [number, number] {
  if (operator === 'in' || operator === 'notIn') return [1, limits.MAX_LABELS];
  return operator === 'exists' || operator === 'notExists' ? [0, 0] : [1, 1];
}

function readLabelNeed(
  problems: Problem[],
  given: unknown,
  step: number,
  place: string,
): LabelNeed | undefined {
  const need = (field.object(problems, given ?? {}, step, place) ?? {}) as LabelNeedInput;
  const wrong = (part: string, message: string): undefined =>
    void report(problems, field.placeOf(step, `${place}.${part}`), 'INVALID_VALUE', message);
  const name = field.text(problems, need.name, step, `${place}.name`, limits.MAX_LABEL_NAME_LENGTH);
  if (name === '' || FORBIDDEN_KEYS.has(name)) return wrong('name', 'is no name for a label');
  // The wire's number 1 is the first.
  const operator = LABEL_OPERATORS[(need.operator ?? 0) - 1];
  if (operator === undefined) return wrong('operator', 'is no operator');
  const values = field.list(problems, need.values, step, `${place}.values`, limits.MAX_LABELS);
  const [least, most] = valuesOf(operator);
  if (values.length < least || values.length > most) {
    const wanted = most === 0 ? 'no value' : most === 1 ? 'one value' : `1 to ${most} values`;
    return wrong('values', `${operator} takes ${wanted}, not ${values.length}`);
  }
  for (const value of values) {
    if (typeof value !== 'string' || value.length > limits.MAX_LABEL_VALUE_LENGTH)
      return wrong('values', `must be texts of at most ${limits.MAX_LABEL_VALUE_LENGTH} characters`);
    if (most === 1 && !isNumber(value))
      return wrong('values', `${operator} compares numbers; "${value}" is none`);
  }
  return { name, operator, values: values as string[] };
}

/** Texts that name something, none of them empty. */
function readNames(problems: Problem[], given: unknown, step: number, place: string, most: number): string[] {
  const names = field.list(problems, given, step, place, most);
  const bad = names.findIndex(
    (name) => typeof name !== 'string' || name === '' || name.length > limits.MAX_LABEL_VALUE_LENGTH,
  );
  if (bad < 0) return names as string[];
  const at = field.placeOf(step, `${place}[${bad}]`);
  const message = `must be text of 1 to ${limits.MAX_LABEL_VALUE_LENGTH} characters`;
  report(problems, at, 'INVALID_VALUE', message);
  return [];
}

function readLabels(problems: Problem[], given: unknown, step: number): Record<string, string> {
  const place = 'requirement.labels';
  const labels: Record<string, string> = {};
  const source = field.object(problems, given, step, place);
  if (source === undefined) return labels;
  const names = Object.keys(source);
  if (names.length > limits.MAX_LABELS) {
    const message = `has ${names.length} labels, at most ${limits.MAX_LABELS} are allowed`;
    report(problems, field.placeOf(step, place), 'TOO_MANY', message);
    return labels;
  }
  for (const name of names) {
    const at = formatPath(field.placeOf(step, place), [name]);
    const value = source[name];
    if (name === '' || FORBIDDEN_KEYS.has(name))
      report(problems, at, 'INVALID_VALUE', 'is no name for a label');
    else if (name.length > limits.MAX_LABEL_NAME_LENGTH) {
      report(
        problems,
        at,
        'TOO_LONG',
        `a label's name has at most ${limits.MAX_LABEL_NAME_LENGTH} characters`,
      );
    } else if (typeof value !== 'string')
      report(problems, at, 'INVALID_VALUE', `must be text, not ${kindOf(value)}`);
    else if (value.length > limits.MAX_LABEL_VALUE_LENGTH) {
      report(
        problems,
        at,
        'TOO_LONG',
        `a label's value has at most ${limits.MAX_LABEL_VALUE_LENGTH} characters`,
      );
    } else labels[name] = value;
  }
  return labels;
}

function readNeed(problems: Problem[], given: unknown, step: number, place: string): HardwareNeed {
  const need = (field.object(problems, given ?? {}, step, place) ?? {}) as HardwareNeedInput;
  const max = Number.MAX_SAFE_INTEGER;
  return {
    gpus: field.wholeNumber(problems, need.gpus, step, `${place}.gpus`, limits.MAX_UNITS),
    vramBytes: field.wholeNumber(problems, need.vramBytes, step, `${place}.vramBytes`, max),
    cpuCores: field.wholeNumber(problems, need.cpuCores, step, `${place}.cpuCores`, limits.MAX_UNITS),
    memoryBytes: field.wholeNumber(problems, need.memoryBytes, step, `${place}.memoryBytes`, max),
    cost: field.amount(problems, need.cost, step, `${place}.cost`, limits.MAX_COST),
    gpuModels: readNames(problems, need.gpuModels, step, `${place}.gpuModels`, limits.MAX_MODELS),
    diskBytes: field.wholeNumber(problems, need.diskBytes, step, `${place}.diskBytes`, max),
  };
}
