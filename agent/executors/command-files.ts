/**
 * Files of a command: artifacts placed in its folder before, files collected from it after.
 *
 * Invariant: names and patterns stay inside the folder; a link that leads out of it is refused.
 */
import { constants } from 'node:fs';
import { chmod, copyFile, glob, mkdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import type { ArtifactRef, ExecutorArtifacts } from '../../sdk/executor/context.ts';
import { InvalidInputError, RetryableError } from '../../sdk/executor/failures.ts';
import { mediaTypeOf } from './media-types.ts';

export async function placeFiles(
  files: Readonly<Record<string, ArtifactRef>>,
  folder: string,
  artifacts: ExecutorArtifacts,
): Promise<void> {
  for (const [name, reference] of Object.entries(files)) {
    const target = join(folder, inside(name));
    await mkdir(dirname(target), { recursive: true });
    // A copy: the artifact is read-only and shared, the command may do as it likes.
    await copyFile(await artifacts.get(reference), target, constants.COPYFILE_FICLONE);
    await chmod(target, 0o644);
  }
}

/** Stores what the patterns match, sorted by path, each file once. */
export async function collectFiles(
  patterns: readonly string[],
  folder: string,
  artifacts: ExecutorArtifacts,
): Promise<ArtifactRef[]> {
  const root = await realpath(folder);
  const found = new Set<string>();
  for (const pattern of patterns) {
    let matches = 0;
    for await (const name of glob(inside(pattern), { cwd: folder })) {
      const path = await realpath(join(folder, name));
      if (!path.startsWith(root + sep)) throw new InvalidInputError(`${name} leads out of the job's folder`);
      if (!(await stat(path)).isFile()) continue;
      found.add(relative(root, path));
      matches++;
    }
    if (matches === 0) throw new RetryableError(`the command left no file that matches ${pattern}`);
  }
  const references: ArtifactRef[] = [];
  for (const path of [...found].sort()) {
    references.push(
      await artifacts.put(join(root, path), { name: basename(path), mediaType: mediaTypeOf(path) }),
    );
  }
  return references;
}

function inside(name: string): string {
  if (name === '' || isAbsolute(name) || name.includes('\0') || name.split(/[\\/]/).includes('..')) {
    throw new InvalidInputError(`"${name}" is no path inside the job's folder`);
  }
  return name;
}
