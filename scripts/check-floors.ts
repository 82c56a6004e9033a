/**
 * Part of `npm run lint`: fails when a file imports from its own or a higher floor, or when a module that
 * must be pure is not. The rules are in `house/floors.ts` and `house/purity.ts`.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkHouse } from './house/check.ts';

const root = join(import.meta.dirname, '..');
const SKIPPED = new Set(['node_modules', 'dist', 'coverage', 'demo-output', '.git', '.dibs']);

const files = new Map<string, string>();
const paths = globSync('**/*.{ts,tsx,mts,mjs}', { cwd: root, exclude: (entry) => SKIPPED.has(entry) });
for (const path of paths) files.set(path.replaceAll('\\', '/'), readFileSync(join(root, path), 'utf8'));

const { name } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { name: string };
const problems = checkHouse(files, name);
for (const { path, line, message } of problems) console.error(`${path}:${line}: ${message}`);
console.error(`floors: ${files.size} files, ${problems.length} problems`);
if (problems.length > 0) process.exitCode = 1;
