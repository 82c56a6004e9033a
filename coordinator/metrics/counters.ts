/**
 * What this coordinator has counted since it started.
 *
 * Invariants:
 * 1. Counting is an addition to a number that is at hand: nothing here waits, and nothing names a job.
 * 2. Labels are few: stable reasons, states, step types up to MAX_HISTOGRAMS.
 */
import { ERRORS } from '../../sdk/common/errors.ts';
import { OUTCOME_REASONS } from '../../sdk/common/outcomes.ts';
import { Histogram, MAX_HISTOGRAMS, OTHER, Series } from './histogram.ts';

interface Count {
  value: number;
}

const SEPARATOR = '\0';
const counts = (): Series<Count> => new Series(() => ({ value: 0 }));
const histograms = (): Series<Histogram> => new Series(() => new Histogram(), MAX_HISTOGRAMS);

export class Counters {
  jobsSubmitted = 0;
  jobsStalled = 0;
  /** `outcome\0reason`. */
  readonly finished = counts();
  readonly recoveries = counts();
  readonly claims = counts();
  readonly skipped = counts();
  /** By step type, seconds. */
  readonly waits = histograms();
  readonly runs = histograms();
  /** By script, seconds. */
  readonly commands = histograms();

  /** Jobs an agent ended. */
  jobFinished(outcome: string, reason: string): void {
    this.finished.of(`${outcome}${SEPARATOR}${stable(reason)}`).value++;
  }

  jobStalled(recovered: boolean): void {
    this.jobsStalled++;
    this.recoveries.of(recovered ? 'recovered' : 'exhausted').value++;
  }

  /** A claim that asked for `wanted` jobs and was granted `granted`. */
  claimed(wanted: number, granted: number): void {
    this.claims.of(granted === 0 ? 'empty' : granted < wanted ? 'partial' : 'full').value++;
  }

  /** Something kept an offer or a class from an agent. */
  claimSkipped(reason: string): void {
    this.skipped.of(stable(reason)).value++;
  }
}

/** Both labels of `finished`. */
export function finishedLabels(key: string): { outcome: string; reason: string } {
  const [outcome = '', reason = ''] = key.split(SEPARATOR);
  return { outcome, reason };
}

const KNOWN: ReadonlySet<string> = new Set([...Object.keys(ERRORS), ...Object.keys(OUTCOME_REASONS)]);

/** Executors may give reasons of their own, any number of them. */
function stable(reason: string): string {
  return reason === '' || KNOWN.has(reason) ? reason : OTHER;
}
