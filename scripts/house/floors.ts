/**
 * The floors of the house: who may import whom. A file imports from its own unit and from lower floors.
 *
 * Siblings: `purity.ts` (modules without I/O), `source.ts` (reads imports out of a file), `check.ts`
 * (applies both to a tree), `../check-floors.ts` (the command).
 */

interface Unit {
  /** Folder, relative to the root; the longest match is a file's unit. */
  readonly folder: string;
  readonly floor: number;
  /** Units of the same floor it may import besides itself. */
  readonly mayAlso?: readonly string[];
}

const UNITS: readonly Unit[] = [
  { folder: 'proto/gen', floor: 1 },
  { folder: 'proto/convert', floor: 2, mayAlso: ['sdk/common'] },
  { folder: 'sdk/common', floor: 2 },
  { folder: 'runtime', floor: 2, mayAlso: ['sdk/common'] },
  { folder: 'sdk/client', floor: 3 },
  { folder: 'sdk/executor', floor: 3 },
  // sdk/index.ts: the front door, which re-exports the two.
  { folder: 'sdk', floor: 3, mayAlso: ['sdk/client', 'sdk/executor'] },
  { folder: 'coordinator', floor: 4 },
  { folder: 'agent', floor: 4 },
  { folder: 'cli', floor: 5 },
  { folder: 'web', floor: 5 },
  { folder: 'examples', floor: 5 },
  { folder: 'bench', floor: 5 },
  // On top of everything: the demo is made of the cli's parts.
  { folder: 'scripts', floor: 6 },
];

/** Tests stand outside the house: they may look into every room, and nobody imports them. */
const OUTSIDE = 'test';

/** Why `from` may not import `to` (both relative to the root), or undefined when it may. */
export function floorProblem(from: string, to: string): string | undefined {
  if (!from.includes('/') || topFolder(from) === OUTSIDE) return undefined;
  if (topFolder(to) === OUTSIDE) return 'only tests import from test/';
  const importer = unitOf(from);
  if (!importer) return `${topFolder(from)}/ is on no floor: add it to scripts/house/floors.ts`;
  if (!to.includes('/')) return undefined;
  const imported = unitOf(to);
  if (!imported) return `${topFolder(to)}/ is on no floor: add it to scripts/house/floors.ts`;
  if (imported === importer || imported.floor < importer.floor) return undefined;
  if (importer.mayAlso?.includes(imported.folder)) return undefined;
  return `${describe(importer)} may not import ${describe(imported)}`;
}

function unitOf(path: string): Unit | undefined {
  let best: Unit | undefined;
  for (const unit of UNITS) {
    if (path.startsWith(`${unit.folder}/`) && unit.folder.length > (best?.folder.length ?? 0)) best = unit;
  }
  return best;
}

function topFolder(path: string): string {
  return path.slice(0, Math.max(0, path.indexOf('/')));
}

function describe(unit: Unit): string {
  return `${unit.folder} (floor ${unit.floor})`;
}
