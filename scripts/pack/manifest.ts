/**
 * Turns the package.json of the repository, whose entries are .ts sources, into that of the published
 * package, whose entries are the emitted .js with .d.ts beside it (Node strips no types in node_modules).
 */

export interface SourceManifest {
  readonly name: string;
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** Of use only inside the repository. */
const DROPPED: readonly string[] = ['private', 'scripts', 'devDependencies'];

export function publishedManifest(source: SourceManifest): Record<string, unknown> {
  const kept = Object.fromEntries(Object.entries(source).filter(([field]) => !DROPPED.includes(field)));
  return {
    ...kept,
    bin: mapValues(source.bin, emittedPath),
    exports: mapValues(source.exports, (path) =>
      path.endsWith('.ts') ? { types: declarationPath(path), default: emittedPath(path) } : path,
    ),
  };
}

/** Declarations name their neighbours by source, `./a.ts`; in the package that file is `./a.js`. */
export function publishedDeclaration(text: string): string {
  return text.replace(/((?:from|import)\s*\(?\s*)(['"])(\.{1,2}\/[^'"]+)\.ts\2/g, '$1$2$3.js$2');
}

function emittedPath(path: string): string {
  return path.replace(/\.ts$/, '.js');
}

function declarationPath(path: string): string {
  return path.replace(/\.ts$/, '.d.ts');
}

function mapValues<T>(
  record: Readonly<Record<string, string>>,
  change: (value: string) => T,
): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
