/**
 * Tells the coordinator, every `heartbeat_interval_ms` of its welcome, what is held and how the machine is.
 *
 * 1. A heartbeat names every held job and every unconfirmed result, whatever the executors do.
 * 2. It never waits for a measurement: telemetry is what was measured last.
 * 3. The first one of a session comes after a random part of the interval, so a fleet does not beat in step.
 */
import type { HeldJobReport, Heartbeat } from '../link/wire.ts';
import type { ThroughputFigure } from '../../sdk/common/throughput-tally.ts';
import type { MachineSample } from './telemetry.ts';

/** Used until a coordinator says otherwise. */
export const DEFAULT_HEARTBEAT_MS = 30_000;
const SHORTEST_MS = 100;

export interface HeartbeatSources {
  held(): readonly HeldJobReport[];
  machine(): MachineSample;
  throughput(): readonly ThroughputFigure[];
  running(): number;
  waiting(): number;
  /** Milliseconds; starts a new period. */
  loopDelayMs(): number;
}

/** The message for one beat. */
export function heartbeatOf(sources: HeartbeatSources): Heartbeat {
  const { cpuLoad, memory, diskFreeBytes, gpus, processes } = sources.machine();
  return {
    held: sources.held(),
    telemetry: {
      cpuLoad,
      memoryUsedBytes: memory.usedBytes,
      memoryTotalBytes: memory.totalBytes,
      diskFreeBytes,
      gpus,
      processes,
      running: sources.running(),
      waiting: sources.waiting(),
      loopDelayMs: sources.loopDelayMs(),
    },
    throughput: sources.throughput(),
  };
}

export class HeartbeatLoop {
  readonly #sources: HeartbeatSources;
  readonly #send: (heartbeat: Heartbeat) => void;
  readonly #random: () => number;
  #timer: NodeJS.Timeout | undefined;
  #intervalMs = DEFAULT_HEARTBEAT_MS;

  constructor(options: {
    sources: HeartbeatSources;
    send: (heartbeat: Heartbeat) => void;
    random: () => number;
  }) {
    this.#sources = options.sources;
    this.#send = options.send;
    this.#random = options.random;
  }

  /** A session has begun; `intervalMs` 0 = the coordinator leaves it to us. */
  start(intervalMs: number): void {
    this.stop();
    this.#intervalMs = intervalMs === 0 ? DEFAULT_HEARTBEAT_MS : Math.max(SHORTEST_MS, intervalMs);
    this.#timer = setTimeout(this.#beat, this.#random() * this.#intervalMs);
  }

  /** The session is over: there is nobody to tell. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** One beat. */
  runOnce(): void {
    this.#send(heartbeatOf(this.#sources));
  }

  readonly #beat = (): void => {
    this.#timer = setTimeout(this.#beat, this.#intervalMs);
    this.runOnce();
  };
}
