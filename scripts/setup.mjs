/**
 * Makes a fresh clone ready: npm packages, a Node that runs TypeScript, redis-server.
 *
 * Runs before anything is installed, on whatever Node (>= 18) the machine has, so it is plain JavaScript
 * with no dependency. Idempotent; when a stamp says that nothing changed it ends at once.
 *
 *   setup/stamp.mjs    has anything changed since last time?
 *   setup/facts.mjs    looks at the machine
 *   setup/plan.mjs     decides, purely: facts -> steps, or problems only a person can solve
 *   setup/perform.mjs  runs one step
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isSettled, writeStamp } from './setup/stamp.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

if (!isSettled(root)) await settle();

async function settle() {
  const { gatherFacts } = await import('./setup/facts.mjs');
  const { plan } = await import('./setup/plan.mjs');
  const { perform } = await import('./setup/perform.mjs');

  const { steps, problems } = plan(gatherFacts(root));
  if (problems.length > 0) return giveUp(problems);
  for (const step of steps) {
    const failure = await perform(root, step);
    if (failure) return giveUp([failure]);
  }

  // What was installed may still not be what is needed: a distribution may only offer an old redis-server.
  const after = gatherFacts(root);
  const left = plan(after);
  if (left.problems.length > 0) return giveUp(left.problems);
  if (left.steps.length > 0) return giveUp(left.steps.map((step) => step.remedy));
  writeStamp(root, after);
  if (steps.length > 0) console.error('dibs setup: ready');
}

/** @param {string[]} problems */
function giveUp(problems) {
  console.error('\ndibs setup: cannot go on');
  for (const problem of problems) console.error(`\n${problem.replace(/^/gm, '  ')}`);
  console.error('\nThen run the same command again.');
  process.exitCode = 1;
}
