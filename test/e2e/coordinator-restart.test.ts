/** The only coordinator dies while a job runs and comes back after its end: one result, one attempt, one claim. */
import { expect, test } from 'vitest';
import { coordinatorRestart } from '../chaos/real-time/coordinator-restart.ts';
import { scaled } from './support/scaled.ts';

test('a result made while no coordinator was there is the only one', async () => {
  expect(await scaled(coordinatorRestart({ jobMs: 2_000, killAfterMs: 700 }))).toEqual([]);
});
