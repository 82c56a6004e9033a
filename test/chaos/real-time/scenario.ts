/**
 * What a scenario is and what it reports. A scenario runs on a fleet of its own and says what held and what was
 * measured; it throws only when it cannot go on.
 */
import type { Fleet } from './fleet.ts';

export interface Report {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
  /** Measured, milliseconds and counts. */
  readonly figures: Readonly<Record<string, number>>;
  /** What did not hold. */
  readonly failed: readonly string[];
}

export interface Scenario {
  readonly name: string;
  run(fleet: Fleet, findings: Findings): Promise<void>;
}

export class Findings {
  readonly figures: Record<string, number> = {};
  readonly failed: string[] = [];
  readonly #say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  say(what: string): void {
    this.#say(what);
  }

  figure(name: string, value: number): void {
    this.figures[name] = value;
    this.#say(`${name} = ${value}`);
  }

  holds(what: string, is: boolean): void {
    if (!is) this.failed.push(what);
    this.#say(`${is ? 'holds' : 'DOES NOT HOLD'}: ${what}`);
  }

  equal(what: string, is: unknown, wanted: unknown): void {
    const same = JSON.stringify(is) === JSON.stringify(wanted);
    this.holds(same ? what : `${what} is ${JSON.stringify(is)}, not ${JSON.stringify(wanted)}`, same);
  }
}

/** Runs one on a fleet made for it; never rejects. */
export async function runScenario(
  scenario: Scenario,
  startFleet: (scenario: Scenario) => Promise<Fleet>,
  say: (line: string) => void,
): Promise<Report> {
  const startedAt = performance.now();
  const findings = new Findings(say);
  let fleet: Fleet | undefined;
  try {
    fleet = await startFleet(scenario);
    await scenario.run(fleet, findings);
  } catch (error) {
    findings.holds(`it came to its end (${error instanceof Error ? error.message : String(error)})`, false);
  }
  await fleet?.stop();
  return {
    name: scenario.name,
    ok: findings.failed.length === 0,
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    figures: findings.figures,
    failed: findings.failed,
  };
}
