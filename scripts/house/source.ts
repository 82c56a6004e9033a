/**
 * Reads out of one source file what the house rules are about: its imports, and its uses of names that may
 * be globals. Syntax only, no scopes: a local variable called `process` counts as the global one.
 */
import { parseSync, Visitor } from 'oxc-parser';

export interface Import {
  readonly specifier: string;
  /** Erased by type stripping: `import type`, `export type … from`, `import('…')` in a type. */
  readonly typeOnly: boolean;
  /** Imported names; empty when unknown (namespace, re-export, dynamic import, side effect). */
  readonly names: readonly string[];
  readonly line: number;
}

export type Use = { readonly name: string; readonly line: number } & (
  | { readonly kind: 'call' }
  | { readonly kind: 'construct'; readonly argumentCount: number }
  | { readonly kind: 'member'; readonly member: string }
);

export interface Source {
  readonly imports: readonly Import[];
  readonly uses: readonly Use[];
}

interface Named {
  readonly type: string;
  readonly name?: string;
}

export function readSource(path: string, text: string): Source {
  const imports: Import[] = [];
  const uses: Use[] = [];
  const { program, errors } = parseSync(path, text);
  if (errors[0]) throw new Error(`${path}: ${errors[0].message}`);
  const lineOf = lineFinder(text);

  const add = (
    node: { start: number },
    specifier: unknown,
    typeOnly: boolean,
    names: string[] = [],
  ): void => {
    if (typeof specifier === 'string') imports.push({ specifier, typeOnly, names, line: lineOf(node.start) });
  };

  new Visitor({
    ImportDeclaration(node) {
      const named = node.specifiers.every((specifier) => specifier.type === 'ImportSpecifier');
      const names = named
        ? node.specifiers.map((specifier) => nameOf((specifier as { imported: Named }).imported))
        : [];
      add(node, node.source.value, node.importKind === 'type', names);
    },
    ExportNamedDeclaration(node) {
      if (node.source) add(node, node.source.value, node.exportKind === 'type');
    },
    ExportAllDeclaration(node) {
      add(node, node.source.value, node.exportKind === 'type');
    },
    ImportExpression(node) {
      add(node, (node.source as { value?: unknown }).value, false);
    },
    TSImportType(node) {
      add(node, node.source.value, true);
    },
    CallExpression(node) {
      const callee = node.callee as Named;
      if (callee.type === 'Identifier')
        uses.push({ kind: 'call', name: nameOf(callee), line: lineOf(node.start) });
    },
    NewExpression(node) {
      const callee = node.callee as Named;
      if (callee.type !== 'Identifier') return;
      const argumentCount = node.arguments.length;
      uses.push({ kind: 'construct', name: nameOf(callee), argumentCount, line: lineOf(node.start) });
    },
    MemberExpression(node) {
      const object = node.object as Named;
      if (object.type !== 'Identifier') return;
      const property = node.property as Named & { value?: unknown };
      const literal = typeof property.value === 'string' ? property.value : '[…]';
      const member = node.computed ? literal : nameOf(property);
      uses.push({ kind: 'member', name: nameOf(object), member, line: lineOf(node.start) });
    },
  }).visit(program);
  return { imports, uses };
}

function nameOf(node: Named): string {
  return node.name ?? '';
}

/** Offset → line, counted from 1. */
function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => starts.findLastIndex((start) => start <= offset) + 1;
}
