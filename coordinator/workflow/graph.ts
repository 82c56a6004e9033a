/**
 * Order and cycles of a workflow's steps, on plain lists of indexes.
 *
 * Invariants: O(steps + edges); no recursion, so a chain of 10,000 steps is nothing special; lists are ascending and
 * free of repeats on both sides of every edge.
 */

/** `edges[i]` = indexes step i is joined to. */
export type Edges = readonly (readonly number[])[];

/** Shared by all steps without edges. */
export const NO_EDGES: readonly number[] = Object.freeze([]);

/** Turns "depends on" into "is needed by". */
export function reverse(needs: Edges): readonly (readonly number[])[] {
  const dependents: number[][] = [];
  for (let step = 0; step < needs.length; step++) dependents.push([]);
  // Ascending steps give ascending lists.
  for (let step = 0; step < needs.length; step++) {
    for (const need of needs[step] as readonly number[]) dependents[need]?.push(step);
  }
  return dependents;
}

/** Kahn's order: every step after all it needs. Steps on a cycle, or behind one, are left out. */
export function topologicalOrder(needs: Edges, dependents: Edges = reverse(needs)): number[] {
  const missing = needs.map((list) => list.length);
  const order: number[] = [];
  for (let step = 0; step < needs.length; step++) if (missing[step] === 0) order.push(step);
  for (let done = 0; done < order.length; done++) {
    for (const dependent of dependents[order[done] as number] ?? NO_EDGES) {
      const left = (missing[dependent] as number) - 1;
      missing[dependent] = left;
      if (left === 0) order.push(dependent);
    }
  }
  return order;
}

/**
 * One cycle of each knot of steps that need one another, `[a, b, c]` meaning a needs b needs c needs a, each from its
 * lowest index on. Empty = the steps can be ordered. Steps that need themselves are not looked at.
 */
export function findCycles(needs: Edges, dependents: Edges = reverse(needs)): number[][] {
  const order = topologicalOrder(needs, dependents);
  if (order.length === needs.length) return [];
  const ordered = new Uint8Array(needs.length);
  for (const step of order) ordered[step] = 1;
  const { knotOf, sizes } = knots(needs, ordered);
  const cycles: number[][] = [];
  const told = new Uint8Array(sizes.length);
  for (let step = 0; step < needs.length; step++) {
    const knot = knotOf[step] as number;
    if (knot < 0 || told[knot] === 1 || (sizes[knot] as number) < 2) continue;
    told[knot] = 1;
    cycles.push(cycleThrough(step, needs, knotOf));
  }
  return cycles;
}

/** Walks inside one knot until a step comes up twice. Every step of a knot needs another one of it. */
function cycleThrough(start: number, needs: Edges, knotOf: Int32Array): number[] {
  const knot = knotOf[start];
  const walked: number[] = [];
  const position = new Map<number, number>();
  let step = start;
  while (!position.has(step)) {
    position.set(step, walked.length);
    walked.push(step);
    step = (needs[step] as readonly number[]).find((need) => need !== step && knotOf[need] === knot) ?? start;
  }
  const cycle = walked.slice(position.get(step));
  const first = cycle.indexOf(cycle.reduce((least, member) => Math.min(least, member)));
  return [...cycle.slice(first), ...cycle.slice(0, first)];
}

/** Tarjan's strongly connected components of the steps that are not `skipped`, with the call stack kept in lists. */
function knots(needs: Edges, skipped: Uint8Array): { knotOf: Int32Array; sizes: number[] } {
  const count = needs.length;
  const knotOf = new Int32Array(count).fill(-1);
  const found = new Int32Array(count).fill(-1);
  const low = new Int32Array(count);
  const nextEdge = new Int32Array(count);
  const open: number[] = [];
  const calls: number[] = [];
  const sizes: number[] = [];
  let clock = 0;
  for (let root = 0; root < count; root++) {
    if (skipped[root] === 1 || found[root] !== -1) continue;
    calls.push(root);
    while (calls.length > 0) {
      const step = calls[calls.length - 1] as number;
      if (found[step] === -1) {
        found[step] = low[step] = clock++;
        open.push(step);
      }
      const need = needs[step]?.[nextEdge[step] as number];
      if (need !== undefined) {
        nextEdge[step] = (nextEdge[step] as number) + 1;
        if (skipped[need] === 1) continue;
        if (found[need] === -1) calls.push(need);
        else if (knotOf[need] === -1) low[step] = Math.min(low[step] as number, found[need] as number);
        continue;
      }
      calls.pop();
      const caller = calls[calls.length - 1];
      if (caller !== undefined) low[caller] = Math.min(low[caller] as number, low[step] as number);
      if (low[step] !== found[step]) continue;
      let size = 0;
      for (let member = open.pop(); member !== undefined; member = open.pop()) {
        knotOf[member] = sizes.length;
        size++;
        if (member === step) break;
      }
      sizes.push(size);
    }
  }
  return { knotOf, sizes };
}
