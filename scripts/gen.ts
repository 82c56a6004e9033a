/**
 * Runs every code generator. `--check` writes nothing and fails with the list of files that differ.
 *
 * The generators are listed in `gen/registry.ts`; `gen/outputs.ts` compares and writes.
 */
import { join } from 'node:path';
import { GENERATORS } from './gen/registry.ts';
import { apply, differences } from './gen/outputs.ts';

const root = join(import.meta.dirname, '..');
const check = process.argv.includes('--check');
let differing = 0;

for (const generator of GENERATORS) {
  const wanted = await generator.generate(root);
  const found = await differences(root, generator.owns, wanted);
  differing += found.length;
  for (const { path, kind } of found) console.error(`${generator.name}: ${kind.padEnd(7)} ${path}`);
  if (!check) await apply(root, found, wanted);
  console.error(`${generator.name}: ${wanted.size} files, ${found.length} ${check ? 'differ' : 'updated'}`);
}

if (check && differing > 0) {
  console.error('Generated code is out of date. Run: npm run gen');
  process.exitCode = 1;
}
