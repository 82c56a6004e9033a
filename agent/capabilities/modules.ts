/**
 * Executor modules of this agent: those that come with it and those its owner names with `--executor`.
 *
 * 1. A built-in that runs what a consumer brings along is loaded only when the owner names its type letter by letter.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { ConfigError } from '../../runtime/config-error.ts';
import { BUILT_IN_EXECUTORS } from '../executors/index.ts';
import type { BuiltInExecutor } from '../executors/index.ts';
import { namesLiterally, typeFilter } from './type-list.ts';

/** Built-in modules for a list of types such as "image.*,text.count" or "all". */
export function builtInModules(
  types: string,
  builtIns: Readonly<Record<string, BuiltInExecutor>> = BUILT_IN_EXECUTORS,
): string[] {
  const wanted = typeFilter(types);
  return Object.entries(builtIns)
    .filter(([type, { enabledByDefault }]) => (enabledByDefault ? wanted(type) : namesLiterally(types, type)))
    .map(([, { module }]) => module);
}

/** Paths given by the owner, absolute; throws for one that is not there. */
export function ownModules(paths: readonly string[], cwd = process.cwd()): string[] {
  return paths.map((path) => {
    const absolute = resolve(cwd, path);
    if (!existsSync(absolute)) throw new ConfigError([`executor: ${absolute} does not exist`]);
    return absolute;
  });
}
