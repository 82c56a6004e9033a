/**
 * `defineExecutor`: the one thing a model integrator writes.
 *
 * Siblings: `context.ts` is what `run` is handed, `failures.ts` what it throws, `schema.ts` how input and output
 * are checked. The agent's `jobs/` hosts what is defined here.
 *
 * Invariants:
 * 1. A definition is checked when it is made: a mistake is a TypeError at import, never a failed job.
 * 2. An executor is frozen and carries EXECUTOR, by which a host finds it among a module's exports.
 */
import { compileCost } from '../common/cost-expression.ts';
import type { ExecutorContext, LifecycleContext } from './context.ts';
import { modelProblem } from './models.ts';
import type { Model } from './models.ts';
import { checkerFor, type Schema } from './schema.ts';
import type { SchemaInput, SchemaOutput } from './standard-schema.ts';

/** By `Symbol.for`, so that executors made with another copy of this package are found too. */
const EXECUTOR = Symbol.for('dibs.executor');

/** What a generator may yield: text for whoever watches, or progress. */
export type Yielded = string | { readonly progress: number; readonly message?: string };

export type RunResult<Output> =
  | Output
  | Promise<Output>
  | Generator<Yielded, Output, undefined>
  | AsyncGenerator<Yielded, Output, undefined>;

export interface ExecutorDefinition<I extends Schema | undefined, O extends Schema | undefined> {
  /** Step type it runs, for example "image.upscale". */
  readonly type: string;
  /** Default "1". */
  readonly version?: string;
  readonly description?: string;
  /** A Standard Schema (zod, valibot, …) or a JSON Schema object; left out = anything. */
  readonly input?: I;
  readonly output?: O;
  /** What one job needs. */
  readonly resources?: {
    readonly gpus?: number;
    /** Of each GPU, for one job; left out = all of it. */
    readonly vramBytes?: number;
    /** Main memory. */
    readonly memoryBytes?: number;
    /** Files that are fetched to the agent before the first job runs; `ctx.models` has their paths. */
    readonly models?: readonly Model[];
  };
  /** Jobs at once on one agent. Default "auto": one per core; as many as fit on the GPUs where those are needed; 256 when inline. */
  readonly concurrency?: number | 'auto';
  /** "process" (default): a child of its own per job at once. "inline": in the agent itself, for trusted short work. */
  readonly isolation?: 'process' | 'inline';
  /** Relative complexity: a number, or an expression such as "input.width * input.height / 1e6". Default 1. */
  readonly cost?: number | string;
  /** The same input always gives the same output, so results may be reused. Default false. */
  readonly deterministic?: boolean;
  /** Names of environment variables it needs besides the usual few. */
  readonly env?: readonly string[];
  /** Runs once per process, before the first job: load the model here. */
  setup?(context: LifecycleContext): unknown;
  /** Runs after `setup`: a tiny job that makes the first real one fast. */
  warmup?(context: LifecycleContext): unknown;
  /** Asked before a job when the process was idle for long or failed last; throw or return false to be replaced. */
  healthcheck?(context: LifecycleContext): unknown;
  run(input: SchemaOutput<I>, context: ExecutorContext): RunResult<SchemaInput<O>>;
  /** Runs before the process is ended in good order. */
  teardown?(context: LifecycleContext): unknown;
}

/** A checked definition with its defaults filled in. */
export interface Executor {
  readonly type: string;
  readonly version: string;
  readonly description: string;
  readonly input: Schema | null;
  readonly output: Schema | null;
  readonly gpus: number;
  readonly vramBytes: number;
  readonly memoryBytes: number;
  readonly models: readonly Model[];
  readonly concurrency: number | 'auto';
  readonly isolation: 'process' | 'inline';
  /** Number or expression as text; '' = 1. */
  readonly cost: string;
  readonly deterministic: boolean;
  readonly env: readonly string[];
  readonly setup: ((context: LifecycleContext) => unknown) | null;
  readonly warmup: ((context: LifecycleContext) => unknown) | null;
  readonly healthcheck: ((context: LifecycleContext) => unknown) | null;
  readonly run: (input: unknown, context: ExecutorContext) => unknown;
  readonly teardown: ((context: LifecycleContext) => unknown) | null;
}

const TYPE = /^[A-Za-z0-9][\w.:/-]{0,127}$/;

export function defineExecutor<
  const I extends Schema | undefined = undefined,
  const O extends Schema | undefined = undefined,
>(definition: ExecutorDefinition<I, O>): Executor {
  const { type, concurrency = 'auto', isolation = 'process', resources = {}, cost, env = [] } = definition;
  const wrong = (what: string): never => {
    throw new TypeError(`executor ${JSON.stringify(type)}: ${what}`);
  };
  if (typeof type !== 'string' || !TYPE.test(type))
    wrong('type is letters, digits and . _ : / - (at most 128)');
  if (typeof definition.run !== 'function') wrong('run is missing');
  if (concurrency !== 'auto' && !(Number.isSafeInteger(concurrency) && concurrency >= 1)) {
    wrong('concurrency is a whole number from 1, or "auto"');
  }
  if (isolation !== 'process' && isolation !== 'inline') wrong('isolation is "process" or "inline"');
  for (const name of ['gpus', 'vramBytes', 'memoryBytes'] as const) {
    const value = resources[name] ?? 0;
    if (!(Number.isSafeInteger(value) && value >= 0)) wrong(`resources.${name} is a whole number from 0`);
  }
  const problem = modelProblem(resources.models ?? []);
  if (problem !== undefined) wrong(problem);
  if (typeof cost === 'number' && !(Number.isFinite(cost) && cost >= 0))
    wrong('cost must be finite and not negative');
  const costText = cost === undefined ? '' : String(cost);
  if (costText !== '') {
    const compiled = compileCost(costText);
    if (!compiled.ok) wrong(`cost: ${compiled.message}`);
  }
  for (const side of ['input', 'output'] as const) {
    try {
      checkerFor(definition[side] ?? null);
    } catch (error) {
      wrong(`${side}: ${(error as Error).message}`);
    }
  }
  return Object.freeze({
    [EXECUTOR]: 1,
    type,
    version: definition.version ?? '1',
    description: definition.description ?? '',
    input: definition.input ?? null,
    output: definition.output ?? null,
    gpus: resources.gpus ?? 0,
    vramBytes: resources.vramBytes ?? 0,
    memoryBytes: resources.memoryBytes ?? 0,
    models: Object.freeze([...(resources.models ?? [])]),
    concurrency,
    isolation,
    cost: costText,
    deterministic: definition.deterministic ?? false,
    env: Object.freeze([...env]),
    setup: definition.setup?.bind(definition) ?? null,
    warmup: definition.warmup?.bind(definition) ?? null,
    healthcheck: definition.healthcheck?.bind(definition) ?? null,
    run: definition.run.bind(definition) as Executor['run'],
    teardown: definition.teardown?.bind(definition) ?? null,
  });
}

export function isExecutor(value: unknown): value is Executor {
  return typeof value === 'object' && value !== null && EXECUTOR in value;
}

/** Every executor among a module's exports: default, named, or in exported lists; each once. */
export function findExecutors(exports: Readonly<Record<string, unknown>>): Executor[] {
  const found = new Set<Executor>();
  for (const value of Object.values(exports)) {
    for (const one of Array.isArray(value) ? value : [value]) if (isExecutor(one)) found.add(one);
  }
  return [...found];
}
