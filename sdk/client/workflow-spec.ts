/**
 * Turns a workflow as people write it (`workflow-input.ts`) into the wire's `WorkflowSpec`.
 *
 * It is on the path of every submit, so it walks each object's keys once and sets only the fields that are there.
 */
import { LabelOperator } from '../../proto/gen/index.ts';
import type {
  ForEach__Output,
  HardwareNeed__Output,
  LabelNeed__Output,
  LabelOperator__Output,
  Requirement__Output,
  StepSpec__Output,
  WorkflowSpec__Output,
} from '../../proto/gen/index.ts';
import type { Plain } from '../../proto/gen/load.ts';
import { DibsError } from '../common/errors.ts';
import type { Problem } from '../common/errors.ts';
import * as field from './fields.ts';
import type { Reading } from './fields.ts';
import { isRef } from './refs.ts';
import type { FailModeName, PriorityName, WorkflowInput } from './workflow-input.ts';

const FAIL_MODES = { fail_fast: 1, continue: 2, best_effort: 3 } as const satisfies Record<
  FailModeName,
  number
>;
const PRIORITIES = { low: 1, normal: 2, high: 3 } as const satisfies Record<PriorityName, number>;

/** The wire's message; absent fields are left out. */
export type WireSpec = Plain<WorkflowSpec__Output>;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
type Spec = Mutable<WireSpec>;
type Step = Mutable<Plain<StepSpec__Output>>;
type ForEach = Mutable<Plain<ForEach__Output>>;
type Requirement = Mutable<Plain<Requirement__Output>>;
type Need = Mutable<Plain<HardwareNeed__Output>>;

/** What a field's reader does with the value; `path` is where it stands. */
type Reader<Target> = (target: Target, value: unknown, path: string, reading: Reading) => void;
type Readers<Target> = Readonly<Record<string, Reader<Target>>>;

const WORKFLOW: Readers<Spec> = {
  name: (spec, value, path, reading) => set(spec, 'name', field.text(value, path, reading)),
  steps: (spec, value, path, reading) => set(spec, 'steps', readSteps(value, path, reading)),
  arguments: (spec, value, path, reading) =>
    set(spec, 'argumentsJson', field.jsonObject(value, path, reading)),
  tags: (spec, value, path, reading) => set(spec, 'tags', field.texts(value, path, reading)),
  metadata: (spec, value, path, reading) => set(spec, 'metadataJson', field.jsonObject(value, path, reading)),
  state: (spec, value, path, reading) => set(spec, 'stateJson', field.json(value, path, reading)),
  failMode: (spec, value, path, reading) =>
    set(spec, 'failMode', field.oneOf(value, FAIL_MODES, path, reading)),
  timeout: (spec, value, path, reading) => set(spec, 'timeoutMs', field.duration(value, path, reading)),
  retention: (spec, value, path, reading) => set(spec, 'retentionMs', field.duration(value, path, reading)),
  allowUnknownTypes: (spec, value, path, reading) =>
    set(spec, 'allowUnknownTypes', field.flag(value, path, reading)),
};

const STEP: Readers<Step> = {
  type: (step, value, path, reading) => set(step, 'type', field.text(value, path, reading)),
  name: (step, value, path, reading) => set(step, 'name', field.text(value, path, reading)),
  input: (step, value, path, reading) => set(step, 'inputJson', field.json(value, path, reading)),
  dependsOn: (step, value, path, reading) => set(step, 'dependsOn', field.texts(value, path, reading)),
  forEach: (step, value, path, reading) => set(step, 'forEach', readForEach(value, path, reading)),
  priority: (step, value, path, reading) =>
    set(step, 'priority', field.oneOf(value, PRIORITIES, path, reading)),
  timeout: (step, value, path, reading) => set(step, 'timeoutMs', field.duration(value, path, reading)),
  queueTimeout: (step, value, path, reading) =>
    set(step, 'queueTimeoutMs', field.duration(value, path, reading)),
  retries: (step, value, path, reading) => set(step, 'retries', field.wholeNumber(value, path, reading)),
  cost: (step, value, path, reading) => set(step, 'cost', field.number(value, path, reading)),
  requirement: (step, value, path, reading) =>
    set(step, 'requirement', readObject(REQUIREMENT, {}, value, path, reading)),
  metadata: (step, value, path, reading) => set(step, 'metadataJson', field.jsonObject(value, path, reading)),
};

const FOR_EACH: Readers<ForEach> = {
  items: (target, value, path, reading) => set(target, 'itemsJson', readItems(value, path, reading)),
  as: (target, value, path, reading) => set(target, 'as', field.text(value, path, reading)),
};

const REQUIREMENT: Readers<Requirement> = {
  labels: (target, value, path, reading) => {
    if (!field.isObject(value)) return void field.wrong(reading, path, 'must be an object of texts');
    const labels: Record<string, string> = {};
    for (const name of Object.keys(value)) {
      const wanted = value[name];
      const at = `${path}.${name}`;
      if (field.isObject(wanted)) {
        target.labelNeeds = [
          ...(target.labelNeeds ?? []),
          ...readObject<LabelNeeds>(LABEL, { name, needs: [] }, wanted, at, reading).needs,
        ];
      } else if (field.text(wanted, at, reading) !== undefined) labels[name] = wanted as string;
    }
    target.labels = labels;
  },
  models: (target, value, path, reading) => set(target, 'models', field.texts(value, path, reading)),
  alternatives: (target, value, path, reading) => {
    if (!Array.isArray(value)) return void field.wrong(reading, path, 'must be a list of objects');
    target.alternatives = value.map((need, index) =>
      readObject(NEED, {}, need, `${path}[${index}]`, reading),
    );
  },
};

/** Conditions on one label. */
interface LabelNeeds {
  readonly name: string;
  readonly needs: Plain<LabelNeed__Output>[];
}

function compared(operator: LabelOperator__Output): Reader<LabelNeeds> {
  return ({ name, needs }, value, path, reading) => {
    if (typeof value !== 'number' && typeof value !== 'string')
      return void field.wrong(reading, path, `must be a number, not ${field.kindOf(value)}`);
    needs.push({ name, operator, values: [String(value)] });
  };
}

function listed(operator: LabelOperator__Output): Reader<LabelNeeds> {
  return ({ name, needs }, value, path, reading) => {
    const values = field.texts(value, path, reading);
    if (values !== undefined) needs.push({ name, operator, values });
  };
}

const LABEL: Readers<LabelNeeds> = {
  in: listed(LabelOperator.LABEL_OPERATOR_IN),
  notIn: listed(LabelOperator.LABEL_OPERATOR_NOT_IN),
  exists: ({ name, needs }, value, path, reading) => {
    const wanted = field.flag(value, path, reading);
    const { LABEL_OPERATOR_EXISTS: is, LABEL_OPERATOR_NOT_EXISTS: isNot } = LabelOperator;
    if (wanted !== undefined) needs.push({ name, operator: wanted ? is : isNot, values: [] });
  },
  '<': compared(LabelOperator.LABEL_OPERATOR_LESS),
  '<=': compared(LabelOperator.LABEL_OPERATOR_LESS_OR_EQUAL),
  '>': compared(LabelOperator.LABEL_OPERATOR_GREATER),
  '>=': compared(LabelOperator.LABEL_OPERATOR_GREATER_OR_EQUAL),
};

const NEED: Readers<Need> = {
  gpus: (need, value, path, reading) => set(need, 'gpus', field.wholeNumber(value, path, reading)),
  vram: (need, value, path, reading) => set(need, 'vramBytes', field.size(value, path, reading)),
  cpuCores: (need, value, path, reading) => set(need, 'cpuCores', field.wholeNumber(value, path, reading)),
  memory: (need, value, path, reading) => set(need, 'memoryBytes', field.size(value, path, reading)),
  cost: (need, value, path, reading) => set(need, 'cost', field.number(value, path, reading)),
  gpuModels: (need, value, path, reading) => set(need, 'gpuModels', field.texts(value, path, reading)),
  disk: (need, value, path, reading) => set(need, 'diskBytes', field.size(value, path, reading)),
};

/** The wire's spec; throws `INVALID_WORKFLOW` with every problem that shows without the coordinator. */
export function toWorkflowSpec(workflow: WorkflowInput): WireSpec {
  const { spec, problems } = readWorkflowSpec(workflow);
  if (problems.length > 0) throw invalidWorkflow(problems);
  return spec;
}

export function invalidWorkflow(problems: readonly Problem[]): DibsError {
  const { length } = problems;
  return new DibsError(
    'INVALID_WORKFLOW',
    `The workflow has ${length === 1 ? 'a mistake' : `${length} mistakes`}.`,
    { problems },
  );
}

/** What can be read of a workflow, and what is wrong with the rest. */
export function readWorkflowSpec(workflow: WorkflowInput): { spec: WireSpec; problems: readonly Problem[] } {
  const reading: Reading = { problems: [] };
  const spec = readObject<Spec>(WORKFLOW, {}, workflow, '', reading);
  if (spec.steps === undefined && reading.problems.length === 0) {
    reading.problems.push({ path: 'steps', reason: 'REQUIRED', message: 'a workflow has at least one step' });
  }
  return { spec, problems: reading.problems };
}

/** Null and undefined count as absent, so that optional values can be passed through; only an input may be null. */
function readObject<Target>(
  readers: Readers<Target>,
  target: Target,
  value: unknown,
  path: string,
  reading: Reading,
): Target {
  if (!field.isObject(value)) {
    field.wrong(reading, path === '' ? 'workflow' : path, `must be an object, not ${field.kindOf(value)}`);
    return target;
  }
  for (const key of Object.keys(value)) {
    const item = value[key];
    if (item === undefined || (item === null && key !== 'input')) continue;
    const at = path === '' ? key : `${path}.${key}`;
    if (Object.hasOwn(readers, key)) readers[key]?.(target, item, at, reading);
    else field.unknownKey(key, Object.keys(readers), at, reading);
  }
  return target;
}

function readSteps(value: unknown, path: string, reading: Reading): Step[] | undefined {
  if (!Array.isArray(value)) return field.wrong(reading, path, `must be a list, not ${field.kindOf(value)}`);
  return value.map((step, index) => {
    const at = `${path}[${index}]`;
    const read = readObject<Step>(STEP, {}, step, at, reading);
    if (read.type === undefined && field.isObject(step) && (step.type ?? null) === null) {
      reading.problems.push({ path: `${at}.type`, reason: 'REQUIRED', message: 'a step has a type' });
    }
    return read;
  });
}

function readForEach(value: unknown, path: string, reading: Reading): ForEach | undefined {
  const read = readObject<ForEach>(FOR_EACH, {}, value, path, reading);
  if (field.isObject(value) && (value.items ?? null) === null) {
    reading.problems.push({ path: `${path}.items`, reason: 'REQUIRED', message: 'a fan-out has items' });
  }
  return read;
}

function readItems(value: unknown, path: string, reading: Reading): string | undefined {
  const ok =
    Array.isArray(value) || isRef(value) || (typeof value === 'number' && Number.isSafeInteger(value));
  if (!ok)
    return field.wrong(
      reading,
      path,
      `must be a list, a whole number or a {"$ref": …}, not ${field.kindOf(value)}`,
    );
  return field.json(value, path, reading);
}

function set<Target, Key extends keyof Target>(
  target: Target,
  key: Key,
  value: Target[Key] | undefined,
): void {
  if (value !== undefined) target[key] = value;
}
