/** Reads vitest's JSON report into the one line a person or a CI system looks at. */

export interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Vitest itself said that all is well; false also for an error outside any test. */
  readonly clean: boolean;
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

/**
 * Counts tests as vitest did. A test file that could not be loaded holds no tests and counts as one failure;
 * so does a run that left no report.
 */
export function countOf(report: unknown, clean: boolean): Count {
  if (!isReport(report)) return { passed: 0, failed: 1, skipped: 0, clean: false };
  const unloaded = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded.length,
    skipped: report.numPendingTests + report.numTodoTests,
    clean,
  };
}

function isReport(report: unknown): report is Report {
  return (
    typeof report === 'object' && report !== null && 'numPassedTests' in report && 'testResults' in report
  );
}
