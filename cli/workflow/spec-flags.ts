/** The flags of `dibs workflow submit`: they make a one-step workflow, or fill in what a file leaves open. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseJson } from '../../sdk/common/json.ts';
import type { Json } from '../../sdk/common/json.ts';
import { UsageError } from '../failure.ts';
import type { Io } from '../io.ts';

export interface SpecFlags {
  readonly type?: string;
  readonly input?: string;
  readonly forEach?: string;
  readonly retries?: number;
  readonly priority?: string;
  readonly name?: string;
  readonly tag?: readonly string[];
  readonly arg?: Readonly<Record<string, string>>;
  readonly artifact?: Readonly<Record<string, string>>;
}

type Fields = { [key: string]: Json };

/** The workflow of `--type` and its companions. */
export function specFromFlags(io: Io, { type, input, forEach, retries, priority }: SpecFlags): Fields {
  if (type === undefined)
    throw new UsageError(
      'Name a file with the workflow, "-" for standard input, or a step type with --type.',
    );
  const step: Fields = { type };
  if (input !== undefined) step['input'] = jsonOption(io, '--input', input);
  if (forEach !== undefined) step['forEach'] = { items: jsonOption(io, '--for-each', forEach) };
  if (retries !== undefined) step['retries'] = retries;
  if (priority !== undefined) step['priority'] = priority;
  return { steps: [step] };
}

/** Refuses step flags beside a file, where nobody could say which step they mean. */
export function assertNoStepFlags(flags: SpecFlags): void {
  const given = (['type', 'input', 'forEach', 'retries', 'priority'] as const).filter(
    (name) => flags[name] !== undefined,
  );
  if (given.length > 0)
    throw new UsageError(
      `--${given[0] === 'forEach' ? 'for-each' : given[0]} describes a step; a file has its own.`,
    );
}

/** Name, tags and arguments of the flags win over those of the file. `--artifact` becomes `{"$file": …}`. */
export function overlay(io: Io, workflow: Fields, { name, tag, arg = {}, artifact = {} }: SpecFlags): Fields {
  const result: Fields = { ...workflow };
  if (name !== undefined) result['name'] = name;
  if (tag !== undefined)
    result['tags'] = [...new Set([...(Array.isArray(workflow['tags']) ? workflow['tags'] : []), ...tag])];
  const values: Fields = {};
  for (const [key, value] of Object.entries(arg)) values[key] = argument(value);
  for (const [key, path] of Object.entries(artifact)) values[key] = { $file: resolve(io.cwd, path) };
  if (Object.keys(values).length > 0)
    result['arguments'] = { ...(workflow['arguments'] as Fields | undefined), ...values };
  return result;
}

/** JSON where it is JSON, else the text itself: `--arg n=3` is a number, `--arg name=Ada` a text. */
function argument(text: string): Json {
  const parsed = parseJson(text);
  return parsed.ok ? parsed.value : text;
}

/** JSON text, or `@file`. */
function jsonOption(io: Io, option: string, given: string): Json {
  const source = given.startsWith('@') ? readOption(io, option, given.slice(1)) : given;
  const parsed = parseJson(source);
  if (!parsed.ok) throw new UsageError(`${option} is not JSON: ${parsed.message}`);
  return parsed.value;
}

function readOption(io: Io, option: string, path: string): string {
  try {
    return readFileSync(resolve(io.cwd, path), 'utf8');
  } catch (error) {
    throw new UsageError(`${option}: ${path} cannot be read: ${(error as Error).message}`);
  }
}
