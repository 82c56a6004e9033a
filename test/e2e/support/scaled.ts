/** Runs a scenario of `test/chaos/real-time` inside a test, with times of seconds; the answer is what did not hold. */
import '../../support/leaks.ts';
import { Fleet } from '../../chaos/real-time/fleet.ts';
import { runScenario } from '../../chaos/real-time/scenario.ts';
import type { Scenario } from '../../chaos/real-time/scenario.ts';

/** A lease that runs out within seconds. */
export const SHORT_LEASE: readonly string[] = [
  ...['--lease', '2s'],
  ...['--offer-lease', '1s'],
  ...['--heartbeat-interval', '300ms'],
  ...['--sweep-interval', '300ms'],
  ...['--sweep-slack', '1400ms'],
  ...['--due-interval', '100ms'],
];

export async function scaled(
  scenario: Scenario,
  coordinatorArgs: readonly string[] = [],
): Promise<readonly string[]> {
  const { failed } = await runScenario(
    scenario,
    () => Fleet.start({ coordinatorArgs }),
    () => undefined,
  );
  return failed;
}
