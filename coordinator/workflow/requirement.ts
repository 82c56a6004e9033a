/** Reads what a step requires of an agent, into its one canonical form (`queue/classes.ts`). */
import type { Problem } from '../../sdk/common/errors.ts';
import { FORBIDDEN_KEYS } from '../../sdk/common/json.ts';
import { normalizeRequirement } from '../queue/classes.ts';
import * as field from './fields.ts';
import * as limits from './limits.ts';
import { formatPath } from './paths.ts';
import type { HardwareNeed, Requirement } from './plan.ts';
import { kindOf, report } from './problems.ts';
import type { HardwareNeedInput, RequirementInput } from './spec-input.ts';

/** Null = every agent with the step type will do. */
export function readRequirement(problems: Problem[], given: unknown, step: number): Requirement | null {
  const requirement = field.object(problems, given, step, 'requirement') as RequirementInput | undefined;
  if (requirement === undefined) return null;
  const labels = readLabels(problems, requirement.labels, step);
  const place = 'requirement.alternatives';
  const alternatives = field
    .list(problems, requirement.alternatives, step, place, limits.MAX_ALTERNATIVES)
    .map((need, index) => readNeed(problems, need, step, `${place}[${index}]`));
  return normalizeRequirement({ labels, alternatives });
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
  };
}
