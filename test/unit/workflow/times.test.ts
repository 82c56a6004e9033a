import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { timeSettings, timesOf } from '../../../cli/coordinator/time-settings.ts';
import { DEFAULT_TIMES, TIME_NAMES, completeTimes, timeProblems } from '../../../coordinator/times.ts';
import type { CoordinatorTimes } from '../../../coordinator/times.ts';
import { retryDelayMs } from '../../../coordinator/workflow/backoff.ts';
import { ConfigError } from '../../../runtime/config-error.ts';
import { kebab, loadConfig } from '../../../runtime/config.ts';

test('the settings are the times, with the same defaults and names, and the page lists each', () => {
  expect(timesOf(loadConfig(timeSettings, {}).values)).toEqual(DEFAULT_TIMES);
  expect(Object.keys(timeSettings).map(kebab).toSorted()).toEqual(Object.values(TIME_NAMES).toSorted());
  const page = readFileSync(join(import.meta.dirname, '../../../docs/02-states.md'), 'utf8');
  for (const [name, setting] of Object.entries(timeSettings))
    expect(page).toContain(`| \`--${kebab(name)}\` | ${setting.default} |`);
});

describe('what must hold between times', () => {
  it.each<[Partial<CoordinatorTimes>, string[]]>([
    [{ heartbeatMs: 61_000 }, ['heartbeat-interval (1m1s)', 'lease (2m)']],
    [{ leaseMs: 10_000, heartbeatMs: 1000 }, ['offer-lease (15s)', 'lease (10s)']],
    [{ offerMs: 3000 }, ['due-interval (1s)', 'offer-lease (3s)']],
    [{ sweepMs: 300_000 }, ['sweep-slack (15s)', 'sweep-interval (5m)']],
    [
      { leaseMs: 60_000 },
      ['sweep-interval (1m)', 'sweep-slack (15s)', 'heartbeat-interval (30s)', 'lease (1m)'],
    ],
    [{ retryBackoffMs: 90_000 }, ['retry-backoff (1m30s)', 'retry-backoff-max (1m)']],
    [{ dueMs: 0 }, ['due-interval must be more than 0']],
    [{ avoidMs: -1 }, ['avoid must be at least 0']],
    [{ pollMs: Number.NaN }, ['poll-interval']],
  ])('%j is refused, naming both', (given, words) => {
    expect(() => completeTimes(given)).toThrow(ConfigError);
    const said = timeProblems({ ...DEFAULT_TIMES, ...given }).join('\n');
    for (const word of words) expect(said).toContain(word);
  });

  it('takes times scaled down as a whole, and no wait at all before retries', () => {
    const scaled = Object.fromEntries(
      Object.entries(DEFAULT_TIMES).map(([key, value]) => [
        key,
        key === 'maxRecoveries' ? value : value / 100,
      ]),
    );
    expect(timeProblems({ ...DEFAULT_TIMES, ...scaled })).toEqual([]);
    expect(timeProblems({ ...DEFAULT_TIMES, retryBackoffMs: 0, retryBackoffMaxMs: 0 })).toEqual([]);
  });
});

test('a retry waits with full jitter below a ceiling that doubles up to the longest', () => {
  const backoff = { baseMs: 100, maxMs: 1000 };
  expect([1, 2, 3, 4, 5, 60].map((attempt) => retryDelayMs(backoff, attempt, 1))).toEqual([
    100, 200, 400, 800, 1000, 1000,
  ]);
  expect(retryDelayMs(backoff, 3, 0.5)).toBe(200);
  expect(retryDelayMs(backoff, 3, 0)).toBe(1);
});
