/** As many loops as there are slots, each running one job after the other, without any queue between. */
import { setTimeout as sleep } from 'node:timers/promises';
import { serveRole } from '../support/role.ts';

export interface LoopsSetup {
  readonly slots: number;
  readonly jobMs: number;
}

await serveRole(({ slots, jobMs }: LoopsSetup) =>
  Promise.resolve({
    commands: {
      /** Gives the wall time, milliseconds. */
      run: async (jobs: number): Promise<number> => {
        const startedAt = performance.now();
        let left = jobs;
        const loop = async (): Promise<void> => {
          while (left-- > 0) await sleep(jobMs);
        };
        await Promise.all(Array.from({ length: slots }, loop));
        return performance.now() - startedAt;
      },
    },
    stop: () => {},
  }),
);
