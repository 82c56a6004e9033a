/**
 * What memory the jobs of this agent take, of its GPUs and of the box: whether one more fits, and on which GPUs. Pure bookkeeping.
 *
 * 1. A GPU never has more promised than it has; an executor that names no amount takes its GPUs whole.
 * 2. A job of k GPUs gets the k with the most free memory, of equal ones the first; all of them or none.
 * 3. What is taken is given back with the placement that took it, once.
 * 4. A type that needs neither GPUs nor memory is not in the ledger: it always fits, at no cost.
 */

export interface LedgerGpu {
  readonly uuid: string;
  readonly vramBytes: number;
}

export interface LedgerNeed {
  readonly type: string;
  readonly gpus: number;
  /** Of each GPU; 0 = all of it. */
  readonly vramBytes: number;
  /** Of the box; 0 = not counted. */
  readonly memoryBytes: number;
}

/** What one job has. */
export interface Placement {
  /** UUIDs. */
  readonly gpus: readonly string[];
  readonly vramBytes: readonly number[];
  readonly memoryBytes: number;
}

interface Gpu extends LedgerGpu {
  takenBytes: number;
}

export class Ledger {
  readonly #needs: ReadonlyMap<string, LedgerNeed>;
  readonly #memoryBytes: number;
  #memoryTaken = 0;
  #gpus: readonly Gpu[];

  constructor(needs: readonly LedgerNeed[], gpus: readonly LedgerGpu[], memoryBytes: number) {
    this.#needs = new Map(
      needs
        .filter((need) => need.gpus > 0 || need.vramBytes > 0 || need.memoryBytes > 0)
        .map((need) => [
          need.type,
          { ...need, gpus: need.vramBytes > 0 ? Math.max(1, need.gpus) : need.gpus },
        ]),
    );
    this.#memoryBytes = memoryBytes;
    this.#gpus = gpus.map((gpu) => ({ ...gpu, takenBytes: 0 }));
  }

  /** False: the type is of no concern here (4). */
  counts(type: string): boolean {
    return this.#needs.has(type);
  }

  /** How many more jobs of a type fit now, at most `most`. */
  room(type: string, most: number): number {
    const need = this.#needs.get(type);
    if (need === undefined) return most;
    const free = this.#gpus.map(({ vramBytes, takenBytes }) => vramBytes - takenBytes);
    let memory = this.#memoryBytes - this.#memoryTaken;
    for (let jobs = 0; jobs < most; jobs++) {
      const chosen = this.#choose(need, free);
      memory -= need.memoryBytes;
      if (chosen === undefined || memory < 0) return jobs;
      for (const index of chosen) free[index] = (free[index] as number) - this.#amount(need, index);
    }
    return most;
  }

  /** Why no job of a type fits; undefined = one does. */
  missing(type: string): 'vram' | 'memory' | undefined {
    const need = this.#needs.get(type);
    if (need === undefined) return undefined;
    const free = this.#gpus.map(({ vramBytes, takenBytes }) => vramBytes - takenBytes);
    if (this.#choose(need, free) === undefined) return 'vram';
    return this.#memoryTaken + need.memoryBytes > this.#memoryBytes ? 'memory' : undefined;
  }

  /** Takes what one job of a type needs; undefined = it does not fit, or needs nothing. */
  take(type: string): Placement | undefined {
    const need = this.#needs.get(type);
    if (need === undefined || this.missing(type) !== undefined) return undefined;
    const free = this.#gpus.map(({ vramBytes, takenBytes }) => vramBytes - takenBytes);
    const chosen = this.#choose(need, free) ?? [];
    const amounts = chosen.map((index) => this.#amount(need, index));
    chosen.forEach((index, at) => {
      (this.#gpus[index] as Gpu).takenBytes += amounts[at] as number;
    });
    this.#memoryTaken += need.memoryBytes;
    return {
      gpus: chosen.map((index) => (this.#gpus[index] as Gpu).uuid),
      vramBytes: amounts,
      memoryBytes: need.memoryBytes,
    };
  }

  give(placement: Placement): void {
    placement.gpus.forEach((uuid, at) => {
      const gpu = this.#gpus.find((one) => one.uuid === uuid);
      // One that went away took its memory along.
      if (gpu !== undefined) gpu.takenBytes -= placement.vramBytes[at] as number;
    });
    this.#memoryTaken -= placement.memoryBytes;
  }

  /** The GPUs as just measured: those that stay keep what they have promised. */
  saw(gpus: readonly LedgerGpu[]): void {
    const before = new Map(this.#gpus.map((gpu) => [gpu.uuid, gpu.takenBytes]));
    this.#gpus = gpus.map(({ uuid, vramBytes }) => ({ uuid, vramBytes, takenBytes: before.get(uuid) ?? 0 }));
  }

  /** Of each GPU: bytes no job has. */
  freeBytes(): readonly number[] {
    return this.#gpus.map(({ vramBytes, takenBytes }) => vramBytes - takenBytes);
  }

  /** Positions of the GPUs a job would get; undefined where they are not there (2). */
  #choose(need: LedgerNeed, free: readonly number[]): readonly number[] | undefined {
    if (need.gpus === 0) return [];
    const fit: number[] = [];
    for (let index = 0; index < free.length; index++) {
      const amount = this.#amount(need, index);
      if (amount > 0 && (free[index] as number) >= amount) fit.push(index);
    }
    if (fit.length < need.gpus) return undefined;
    return fit.sort((a, b) => (free[b] as number) - (free[a] as number) || a - b).slice(0, need.gpus);
  }

  #amount({ vramBytes }: LedgerNeed, index: number): number {
    return vramBytes > 0 ? vramBytes : (this.#gpus[index] as Gpu).vramBytes || 1;
  }
}
