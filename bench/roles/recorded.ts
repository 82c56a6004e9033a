/** Executors of scenario "eta": they take as long as the recorded job does on an agent of this speed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { defineExecutor } from '../../sdk/executor/index.ts';
import type { Executor } from '../../sdk/executor/index.ts';

export interface RecordedSetup {
  /** Cost a second of one job. */
  readonly speed: number;
  readonly slots: number;
  readonly types: readonly string[];
}

export function recorded({ speed, slots, types }: RecordedSetup): Executor[] {
  return types.map((type) =>
    defineExecutor({
      type,
      isolation: 'inline',
      concurrency: slots,
      run: async (input) => {
        const { cost, factor } = input as { readonly cost: number; readonly factor: number };
        await sleep((cost / speed) * factor * 1000);
        return null;
      },
    }),
  );
}
