/**
 * Compares what generators return with what is on disk, and applies the difference.
 *
 * Kept apart from `scripts/gen.ts` so that the comparison is testable on a fake tree.
 */
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export type Difference = { readonly path: string; readonly kind: 'missing' | 'changed' | 'stale' };

/** Differences between `wanted` and the disk, within what is `owned`; sorted by path. */
export async function differences(
  root: string,
  owned: readonly string[],
  wanted: ReadonlyMap<string, string>,
): Promise<Difference[]> {
  const found: Difference[] = [];
  for (const [path, content] of wanted) {
    const present = await readIfPresent(join(root, path));
    if (present === undefined) found.push({ path, kind: 'missing' });
    else if (present !== content) found.push({ path, kind: 'changed' });
  }
  for (const path of await ownedFiles(root, owned)) {
    if (!wanted.has(path)) found.push({ path, kind: 'stale' });
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** Makes the disk equal to `wanted`; untouched files keep their modification time. */
export async function apply(
  root: string,
  changes: readonly Difference[],
  wanted: ReadonlyMap<string, string>,
): Promise<void> {
  for (const { path, kind } of changes) {
    const target = join(root, path);
    if (kind === 'stale') {
      await rm(target);
      continue;
    }
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, wanted.get(path) ?? '');
  }
}

async function ownedFiles(root: string, owned: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of owned) {
    if (!path.endsWith('/')) {
      if ((await readIfPresent(join(root, path))) !== undefined) files.push(path);
      continue;
    }
    for (const entry of await listFolder(join(root, path))) files.push(path + entry);
  }
  return files;
}

async function listFolder(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length).replaceAll('\\', '/'));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
