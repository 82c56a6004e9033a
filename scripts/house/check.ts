/**
 * Applies the house rules to a tree of sources, given as path → text, so that tests can build trees.
 */
import { posix } from 'node:path';
import { floorProblem } from './floors.ts';
import { impureImport, impureUse, isPure } from './purity.ts';
import { type Source, readSource } from './source.ts';

export interface HouseProblem {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** Every breach of the floors and of purity; sorted by place, each once. */
export function checkHouse(files: ReadonlyMap<string, string>, packageName: string): HouseProblem[] {
  const sources = new Map<string, Source>();
  for (const [path, text] of files) sources.set(path, readSource(path, text));
  const problems = [...floorProblems(sources, packageName), ...purityProblems(sources)];
  const keyed = new Map(
    problems.map((problem) => [`${problem.path}\0${problem.line}\0${problem.message}`, problem]),
  );
  return [...keyed.values()].sort((a, b) => (a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1));
}

function* floorProblems(sources: ReadonlyMap<string, Source>, packageName: string): Generator<HouseProblem> {
  for (const [path, { imports }] of sources) {
    for (const { specifier, line } of imports) {
      const target = resolve(path, specifier, packageName);
      const message = target === undefined ? undefined : floorProblem(path, target);
      if (message !== undefined) yield { path, line, message: `${message} ('${specifier}')` };
    }
  }
}

/** Walks from the pure modules along run-time imports: whatever is reached must be pure as well. */
function* purityProblems(sources: ReadonlyMap<string, Source>): Generator<HouseProblem> {
  const reachedFrom = new Map<string, string>();
  const open = [...sources.keys()].filter(isPure);
  for (const path of open) reachedFrom.set(path, path);

  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const source = sources.get(path);
    if (!source) continue;
    const origin = reachedFrom.get(path) ?? path;
    const who = origin === path ? 'a pure module' : `a module that pure ${origin} runs`;
    for (const imported of source.imports) {
      const reason = impureImport(imported);
      if (reason !== undefined) yield { path, line: imported.line, message: `${who} ${reason}` };
      const target = resolve(path, imported.specifier, undefined);
      if (imported.typeOnly || target === undefined || reachedFrom.has(target)) continue;
      reachedFrom.set(target, origin);
      open.push(target);
    }
    for (const use of source.uses) {
      const reason = impureUse(use);
      if (reason !== undefined) yield { path, line: use.line, message: `${who} ${reason}` };
    }
  }
}

/** Path of the imported file relative to the root; undefined for other packages. */
function resolve(from: string, specifier: string, packageName: string | undefined): string | undefined {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(from), specifier);
  if (packageName !== undefined && specifier.startsWith(`${packageName}/`)) {
    return `${specifier.slice(packageName.length + 1)}/index.ts`;
  }
  return undefined;
}
