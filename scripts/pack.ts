/**
 * `npm run pack`: builds the published package in dist/ and packs it. Prints the path of the .tgz on stdout.
 *
 * The layout of dist/ is that of the repository, so code that finds a file beside itself (protos, Lua
 * scripts) finds it in both.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SourceManifest, publishedDeclaration, publishedManifest } from './pack/manifest.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

/** What is read at run time besides code. */
const ASSETS: readonly string[] = [
  'proto/**/*.proto',
  '{sdk,runtime,coordinator,agent,cli}/**/*.{lua,json,yaml,py}',
  'web/dist/**/*.*',
  '{README,CHANGELOG}.md',
  'LICENSE',
];

rmSync(dist, { recursive: true, force: true });
run(root, 'tsc', '-p', 'tsconfig.build.json');

for (const path of globSync('**/*.d.ts', { cwd: dist })) {
  const file = join(dist, path);
  writeFileSync(file, publishedDeclaration(readFileSync(file, 'utf8')));
}
for (const path of ASSETS.flatMap((pattern) => globSync(pattern, { cwd: root }))) {
  cpSync(join(root, path), join(dist, path), { recursive: true });
}

const source = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as SourceManifest;
const manifest = publishedManifest(source);
writeFileSync(join(dist, 'package.json'), JSON.stringify(manifest, null, 2) + '\n');

run(dist, 'npm', 'pack', '--silent', '--pack-destination', dist);
const archive = join(dist, `${source.name}-${source.version}.tgz`);
if (!existsSync(archive)) throw new Error(`npm pack left no ${archive}`);
console.log(archive);

function run(cwd: string, command: string, ...args: string[]): void {
  const { status } = spawnSync(command, args, { cwd, stdio: ['ignore', process.stderr, process.stderr] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`);
}
