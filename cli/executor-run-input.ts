/**
 * The input of `dibs executor run`: JSON text, `@file`, or `-` for standard input; `{"$file": "path"}` anywhere in
 * it becomes an artifact reference, so that an executor can be tried with files at hand.
 */
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import type { ArtifactGateway } from '../agent/jobs/contract.ts';
import { mediaTypeOf } from '../agent/executors/media-types.ts';
import { isJsonObject, parseJson, type Json } from '../sdk/common/json.ts';

export type ReadInput =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly message: string };

export async function readInput(source: string, stdin: NodeJS.ReadableStream): Promise<ReadInput> {
  let json = source;
  try {
    if (source === '-') json = await text(stdin);
    else if (source.startsWith('@')) json = await readFile(source.slice(1), 'utf8');
  } catch (error) {
    return { ok: false, message: `--input: ${(error as Error).message}` };
  }
  const parsed = parseJson(json);
  return parsed.ok ? parsed : { ok: false, message: `--input is not JSON: ${parsed.message}` };
}

/** `files` gives paths by the name `$file` uses; a name that is not among them is itself the path. */
export async function storeFiles(
  value: Json,
  files: Readonly<Record<string, string>>,
  artifacts: ArtifactGateway,
): Promise<Json> {
  if (Array.isArray(value)) return Promise.all(value.map((item) => storeFiles(item, files, artifacts)));
  if (!isJsonObject(value)) return value;
  const name = Object.hasOwn(value, '$file') ? value['$file'] : undefined;
  if (typeof name === 'string') {
    const path = resolve(Object.hasOwn(files, name) ? (files[name] as string) : name);
    const reference = await artifacts.store(path, { name: basename(path), mediaType: mediaTypeOf(path) });
    return { ...reference };
  }
  const entries = await Promise.all(
    Object.entries(value).map(
      async ([key, item]) => [key, await storeFiles(item, files, artifacts)] as const,
    ),
  );
  return Object.fromEntries(entries);
}

export interface NamedBlob {
  readonly $artifact: string;
  readonly name: string;
}

/** Artifact references in an output, the same bytes under the same name once. */
export function referencesIn(value: Json, found = new Map<string, NamedBlob>()): NamedBlob[] {
  if (Array.isArray(value)) for (const item of value) referencesIn(item, found);
  else if (isJsonObject(value)) {
    const { $artifact, name } = value;
    if (typeof $artifact === 'string') {
      const blob = { $artifact, name: typeof name === 'string' ? name : '' };
      found.set(`${blob.$artifact} ${blob.name}`, blob);
    } else for (const item of Object.values(value)) referencesIn(item, found);
  }
  return [...found.values()];
}
