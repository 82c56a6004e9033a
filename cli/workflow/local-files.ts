/**
 * Replaces `{"$file": "photo.jpg"}` anywhere in a workflow by the reference of the artifact with that file's content.
 *
 * Invariants: each file is read once, however often it is named; all files are known to be readable before the first is
 * stored; every other value passes through unchanged.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { ArtifactReference } from '../../sdk/client/index.ts';
import { isJsonObject } from '../../sdk/common/json.ts';
import type { Json } from '../../sdk/common/json.ts';
import { UsageError } from '../failure.ts';

export interface LocalFile {
  readonly path: string;
  readonly name?: string;
  readonly mediaType?: string;
}

export type Store = (file: LocalFile) => Promise<ArtifactReference>;

export async function storeFiles<Value extends Json>(
  value: Value,
  folder: string,
  store: Store,
): Promise<Value> {
  const files = new Map<string, LocalFile>();
  const problems: string[] = [];
  collectFiles(value, '', folder, files, problems);
  for (const { path } of files.values()) {
    const found = await stat(path).catch((error: Error) => error);
    if (found instanceof Error) problems.push(`${path} cannot be read: ${found.message}`);
    else if (!found.isFile()) problems.push(`${path} is no file.`);
  }
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  const stored = new Map<string, ArtifactReference>();
  for (const [key, file] of files) stored.set(key, await store(file));
  return replaceFiles(value, folder, stored) as Value;
}

/** The reference the file will have, without storing it: for `--validate-only`. */
export async function describeFile({
  path,
  name = basename(path),
  mediaType = '',
}: LocalFile): Promise<ArtifactReference> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const data of createReadStream(path) as AsyncIterable<Buffer>) {
    hash.update(data);
    size += data.length;
  }
  return { $artifact: `sha256:${hash.digest('hex')}`, name, size, mediaType };
}

function collectFiles(
  value: Json,
  at: string,
  folder: string,
  files: Map<string, LocalFile>,
  problems: string[],
): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries())
      collectFiles(item, `${at}[${index}]`, folder, files, problems);
  } else if (isJsonObject(value)) {
    const file = fileOf(value, folder);
    if (file === 'wrong')
      problems.push(`${at || 'workflow'}: {"$file": "path"} takes name and mediaType besides, as texts.`);
    else if (file !== undefined) files.set(keyOf(file), file);
    else
      for (const [key, item] of Object.entries(value))
        collectFiles(item, at === '' ? key : `${at}.${key}`, folder, files, problems);
  }
}

function replaceFiles(value: Json, folder: string, stored: ReadonlyMap<string, ArtifactReference>): Json {
  if (Array.isArray(value)) return value.map((item) => replaceFiles(item, folder, stored));
  if (!isJsonObject(value)) return value;
  const file = fileOf(value, folder);
  if (file !== undefined && file !== 'wrong') return { ...(stored.get(keyOf(file)) as ArtifactReference) };
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, replaceFiles(item, folder, stored)]),
  );
}

function fileOf(value: { [key: string]: Json }, folder: string): LocalFile | 'wrong' | undefined {
  if (!Object.hasOwn(value, '$file')) return undefined;
  const { $file, name, mediaType, ...others } = value;
  const optional = (field: Json | undefined): boolean => field === undefined || typeof field === 'string';
  if (
    typeof $file !== 'string' ||
    $file === '' ||
    !optional(name) ||
    !optional(mediaType) ||
    Object.keys(others).length > 0
  ) {
    return 'wrong';
  }
  return {
    path: resolve(folder, $file),
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof mediaType === 'string' ? { mediaType } : {}),
  };
}

function keyOf({ path, name, mediaType }: LocalFile): string {
  return JSON.stringify([path, name, mediaType]);
}
