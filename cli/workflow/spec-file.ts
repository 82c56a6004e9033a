/**
 * Reads a workflow from a file or standard input: JSON or YAML, the shape of `WorkflowInput`.
 *
 * In a file a bare number for a duration means seconds, as over HTTP; in the SDK's objects it means milliseconds.
 */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { LineCounter, parseDocument } from 'yaml';
import type { WorkflowInput } from '../../sdk/client/index.ts';
import { isJsonObject } from '../../sdk/common/json.ts';
import type { Json } from '../../sdk/common/json.ts';
import { UsageError } from '../failure.ts';
import type { Io } from '../io.ts';

export interface SpecFile {
  /** Not checked yet beyond being an object. */
  readonly workflow: { [key: string]: Json };
  /** What `{"$file": …}` is relative to. */
  readonly folder: string;
}

export async function readSpecFile(io: Io, file: string): Promise<SpecFile> {
  const path = resolve(io.cwd, file);
  const source = file === '-' ? await text(io.stdin) : await readText(path, file);
  const workflow = parseSpec(source, file === '-' ? 'standard input' : file);
  return { workflow, folder: file === '-' ? io.cwd : dirname(path) };
}

export function parseSpec(source: string, name: string): { [key: string]: Json } {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  if (document.errors.length > 0) {
    const mistakes = document.errors.map(({ pos, message }) => {
      const { line, col } = lines.linePos(pos[0]);
      return `${name}:${line}:${col}: ${message}`;
    });
    throw new UsageError(mistakes.join('\n'));
  }
  const value = document.toJS({ maxAliasCount: 100 }) as Json;
  if (!isJsonObject(value))
    throw new UsageError(`${name} holds no workflow: at its top stands an object with steps.`);
  return value;
}

/** Bare numbers of durations become text with a unit. */
export function withSeconds(workflow: { [key: string]: Json }): WorkflowInput {
  const inSeconds = (fields: { [key: string]: Json }, names: readonly string[]): { [key: string]: Json } =>
    Object.fromEntries(
      Object.entries(fields).map(([key, value]) => [
        key,
        names.includes(key) && typeof value === 'number' ? `${value}s` : value,
      ]),
    );
  const { steps } = workflow;
  return {
    ...inSeconds(workflow, ['timeout', 'retention']),
    ...(Array.isArray(steps)
      ? {
          steps: steps.map((step) =>
            isJsonObject(step) ? inSeconds(step, ['timeout', 'queueTimeout']) : step,
          ),
        }
      : {}),
  } as unknown as WorkflowInput;
}

async function readText(path: string, shown: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${shown} cannot be read: ${(error as Error).message}`);
  }
}
