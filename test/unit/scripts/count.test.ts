/** The last line of `npm test` must be vitest's count, also when files or the whole run break. */
import { expect, test } from 'vitest';
import { countOf } from '../../../scripts/check/count.ts';

const REPORT = {
  numPassedTests: 5,
  numFailedTests: 2,
  numPendingTests: 1,
  numTodoTests: 1,
  testResults: [{ status: 'failed', assertionResults: [{}] }],
};

test('counts what vitest counted', () => {
  expect(countOf(REPORT, false)).toEqual({ passed: 5, failed: 2, skipped: 2, clean: false });
});

test('a file that could not be loaded is one failure', () => {
  const testResults = [...REPORT.testResults, { status: 'failed', assertionResults: [] }];
  expect(countOf({ ...REPORT, testResults }, false).failed).toBe(3);
});

test('no report is one failure, whatever the exit code said', () => {
  expect(countOf(undefined, true)).toEqual({ passed: 0, failed: 1, skipped: 0, clean: false });
});

test('an error outside any test is not clean', () => {
  expect(countOf({ ...REPORT, numFailedTests: 0, testResults: [] }, false).clean).toBe(false);
});
