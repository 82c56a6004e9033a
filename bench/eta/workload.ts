/**
 * The recorded workload of scenario "eta": what arrives when, and how long it takes. The same seed gives the same workload.
 *
 * Bursts of jobs of two step types with log-normal costs; run times differ from what the cost promises by a log-normal factor, as those
 * of models do.
 */

export interface RecordedJob {
  readonly type: 'bench.image' | 'bench.video';
  /** Milliseconds after the first. */
  readonly atMs: number;
  readonly cost: number;
  /** Run time over cost / speed. */
  readonly factor: number;
}

export interface RecordedAgent {
  /** Cost a second of one job. */
  readonly speed: number;
  readonly slots: number;
  readonly types: readonly RecordedJob['type'][];
}

/** Unequal: the fastest serves one type only. */
export const AGENTS: readonly RecordedAgent[] = [
  { speed: 4, slots: 4, types: ['bench.image', 'bench.video'] },
  { speed: 1.5, slots: 2, types: ['bench.image', 'bench.video'] },
  { speed: 8, slots: 4, types: ['bench.image'] },
];

const COST_SIGMA = 0.6;
const NOISE_SIGMA = 0.25;
const VIDEO_SHARE = 0.25;
/** Of the time the fleet needs for a burst, what passes until the next. */
const LOAD = 0.95;

export function recordedWorkload(jobs: number, seed: number): RecordedJob[] {
  const random = mulberry(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const capacity = AGENTS.reduce((sum, { speed, slots }) => sum + speed * slots, 0);
  const list: RecordedJob[] = [];
  let atMs = 0;
  while (list.length < jobs) {
    const burst = Math.min(jobs - list.length, 50 + Math.floor(random() * 300));
    let cost = 0;
    for (let i = 0; i < burst; i++) {
      const job = {
        type: random() < VIDEO_SHARE ? ('bench.video' as const) : ('bench.image' as const),
        atMs: atMs + i * 2,
        cost: Math.exp(COST_SIGMA * normal()),
        factor: Math.exp(NOISE_SIGMA * normal()),
      };
      cost += job.cost;
      list.push(job);
    }
    atMs += (LOAD * cost * 1000) / capacity;
  }
  return list;
}

function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
