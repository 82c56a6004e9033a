/**
 * When each class's waiting jobs will start: agents work the queues off as the claim script lets them. Pure.
 *
 * Invariants:
 * 1. An agent is one server that takes a job every `spacing`: its run time over the jobs it does at once.
 * 2. A free agent takes from the class it serves whose next job comes first: the band, then the age (`orderAt`).
 * 3. At most PICKS picks are made, however long the queues: of a long one several jobs are taken at a pick.
 */

export interface WaitingClass {
  /** Jobs that wait. */
  readonly jobs: number;
  /** What the order between classes is decided by when this many of its jobs have been taken; less goes first. */
  readonly orderAt: (taken: number) => number;
}

export interface Server {
  /** Milliseconds until it takes its next job. */
  readonly freeInMs: number;
  /** Jobs it takes at once when it is free, before it takes one every `spacing`. */
  readonly burst: number;
  /** By class: milliseconds from one job to the next; undefined = it does not serve the class. */
  readonly spacingMs: readonly (number | undefined)[];
}

/** Jobs taken and milliseconds until then, ascending. */
export interface Curve {
  readonly taken: readonly number[];
  readonly atMs: readonly number[];
}

const PICKS = 4096;

export function simulate(classes: readonly WaitingClass[], servers: readonly Server[]): Curve[] {
  const curves = classes.map(() => ({ taken: [] as number[], atMs: [] as number[] }));
  const left = classes.map(({ jobs }) => jobs);
  const total = left.reduce((sum, jobs) => sum + jobs, 0);
  const quantum = Math.max(1, Math.ceil(total / PICKS));
  const heap = servers.map((server) => ({ at: server.freeInMs, burst: server.burst, server }));
  heap.sort((a, b) => a.at - b.at);
  while (heap.length > 0) {
    const first = heap[0] as (typeof heap)[number];
    const chosen = next(classes, left, first.server);
    if (chosen < 0) {
      const last = heap.pop() as (typeof heap)[number];
      if (heap.length > 0) {
        heap[0] = last;
        sink(heap);
      }
      continue;
    }
    const spacing = first.server.spacingMs[chosen] as number;
    const count = Math.min(Math.max(quantum, first.burst), left[chosen] as number);
    const curve = curves[chosen] as (typeof curves)[number];
    curve.taken.push((classes[chosen] as WaitingClass).jobs - (left[chosen] as number));
    curve.atMs.push(first.at);
    left[chosen] = (left[chosen] as number) - count;
    // Of a burst the first jobs start together.
    first.at += spacing * Math.max(1, count - Math.max(0, first.burst - 1));
    first.burst = 0;
    sink(heap);
  }
  return curves;
}

function next(classes: readonly WaitingClass[], left: readonly number[], { spacingMs }: Server): number {
  let chosen = -1;
  let least = Number.POSITIVE_INFINITY;
  for (let index = 0; index < classes.length; index++) {
    const jobs = left[index] as number;
    if (jobs === 0 || spacingMs[index] === undefined) continue;
    const { orderAt, jobs: all } = classes[index] as WaitingClass;
    const order = orderAt(all - jobs);
    if (order >= least) continue;
    least = order;
    chosen = index;
  }
  return chosen;
}

function sink(heap: { at: number }[]): void {
  let at = 0;
  const item = heap[0] as { at: number };
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (
      child + 1 < heap.length &&
      (heap[child + 1] as { at: number }).at < (heap[child] as { at: number }).at
    )
      child++;
    if ((heap[child] as { at: number }).at >= item.at) break;
    heap[at] = heap[child] as { at: number };
    at = child;
  }
  heap[at] = item;
}

/** Milliseconds until the job with this many jobs before it starts; undefined where nobody takes it. */
export function startInMs({ taken, atMs }: Curve, before: number): number | undefined {
  if (taken.length === 0) return undefined;
  let low = 0;
  let high = taken.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((taken[middle] as number) <= before) low = middle;
    else high = middle - 1;
  }
  const from = taken[low] as number;
  const at = atMs[low] as number;
  if (low + 1 === taken.length) {
    // Behind the last pick: as far apart as the jobs before it.
    const pace = low === 0 || from === 0 ? 0 : at / from;
    return at + Math.max(0, before - from - 1) * pace;
  }
  const to = taken[low + 1] as number;
  const until = atMs[low + 1] as number;
  return to === from ? at : at + ((until - at) * (before - from)) / (to - from);
}
