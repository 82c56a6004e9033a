/** A configuration that cannot be used: every mistake in it, one sentence each. The program ends with 78. */
import { ExitCode } from './exit-codes.ts';

export class ConfigError extends Error {
  readonly exitCode = ExitCode.BAD_CONFIG;
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      problems.length === 1
        ? problems[0]
        : `The configuration has ${problems.length} mistakes:\n  ${problems.join('\n  ')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
