/**
 * `npm run chaos -- …`: one command for everything that breaks a real system and looks whether it keeps its promises.
 *
 *   (nothing)        seeds.ts: runs with faults from seeds
 *   --mutants        mutants/main.ts: plants bugs, must catch each
 *   --crash-points   crash-points/run.ts: kills a process before and after each of its writes
 *   --real-time      real-time/run.ts: the promises about time, with the default times
 */
const MODES: Readonly<Record<string, () => Promise<unknown>>> = {
  '--mutants': () => import('../mutants/main.ts'),
  '--crash-points': () => import('../crash-points/run.ts'),
  '--real-time': () => import('../real-time/run.ts'),
};

const mode = process.argv.find((argument) => Object.hasOwn(MODES, argument));
process.argv = process.argv.filter((argument) => argument !== mode);
await(mode === undefined ? import('./seeds.ts') : MODES[mode]?.());
