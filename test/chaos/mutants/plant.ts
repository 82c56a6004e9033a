/** A copy of the programs with one planted bug. */
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../../..');
const PARTS = ['agent', 'cli', 'coordinator', 'proto', 'runtime', 'sdk', 'package.json', 'tsconfig.json'];

export interface Patch {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Throws when the text to change is not there, or there more than once: then the bug must be planted anew. */
export async function plant(folder: string, { file, from, to }: Patch): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const part of [...PARTS, 'test/chaos', 'test/support'])
    await cp(join(ROOT, part), join(folder, part), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'dir');
  const path = join(folder, file);
  const text = await readFile(path, 'utf8');
  const found = text.split(from).length - 1;
  if (found !== 1) throw new Error(`"${from}" is ${found} times in ${file}: plant this bug anew.`);
  await writeFile(
    path,
    text.replace(from, () => to),
  );
}
