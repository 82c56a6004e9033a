/** Which new jobs become a run, which successes one slice, and what a run's record says of a job. */
import { describe, expect, test } from 'vitest';
import type { Change, CompleteItem, JobSpec } from '../../../coordinator/queue/items.ts';
import { workflowKey } from '../../../coordinator/queue/keys.ts';
import { bySlice, tokenAfter, withRuns } from '../../../coordinator/queue/runs.ts';
import { State } from '../../../sdk/common/states.ts';

const WID = workflowKey('acme', 'r', 1);

function spec(slot: number, to: Partial<Record<number, unknown>> = {}): JobSpec {
  const job: unknown[] = [0, slot, 'q', 1, 1, `"${slot}"`, 1, -1, 0, 0];
  for (const [at, value] of Object.entries(to)) job[Number(at)] = value;
  return job as JobSpec;
}

function change(...jobs: JobSpec[]): Change {
  return [false, [], jobs, [], [], []];
}

describe('new jobs', () => {
  test('alike and in a row are a run', () => {
    const [, , single, , , , runs] = withRuns(change(spec(4), spec(5), spec(6)));
    expect(single).toEqual([]);
    expect(runs).toEqual([[0, 4, 'q', 1, 1, ['"4"', '"5"', '"6"']]]);
  });

  test('whose inputs the plan tells are counted', () => {
    expect(withRuns(change(...[0, 1, 2, 3].map((slot) => spec(slot, { 5: '' }))))[6]).toEqual([
      [0, 0, 'q', 1, 1, 4],
    ]);
  });

  test('few, further attempts, later ones and those with a timeout stay single', () => {
    for (const to of [{ 6: 2, 7: 0 }, { 8: 100 }, { 9: 100 }]) {
      const made = change(...[0, 1, 2, 3].map((slot) => spec(slot, to)));
      expect(withRuns(made)).toBe(made);
    }
    const two = change(spec(0), spec(1));
    expect(withRuns(two)).toBe(two);
  });

  test('with a large input are a run even alone', () => {
    const large = `"${'x'.repeat(600)}"`;
    const [, , single, , , , runs] = withRuns(change(spec(0, { 5: large }), spec(7)));
    expect(single).toEqual([]);
    // What comes behind a run stays behind it.
    expect(runs).toEqual([[0, 0, 'q', 1, 1, [large]], spec(7)]);
  });

  test('with large inputs all together stay single: whoever takes one would read them all', () => {
    const large = `"${'x'.repeat(600)}"`;
    const made = change(...[0, 1, 2, 3].map((slot) => spec(slot, { 5: large })));
    expect(withRuns(made)).toBe(made);
  });

  test.each([
    ['step', 0, 1],
    ['class', 2, 'other'],
    ['band', 3, 2],
    ['cost', 4, 7],
    ['slot', 1, 100],
    ['input', 5, ''],
  ])('another %s ends a run', (_, at, value) => {
    const jobs = [0, 1, 2, 3, 4, 5].map((slot) => spec(slot));
    jobs[3] = spec(3, { [at]: value });
    const [, , single, , , , runs = []] = withRuns(change(...jobs));
    expect(single).toEqual([]);
    expect(runs).toEqual([expect.objectContaining({ length: 6 }), ...jobs.slice(3)]);
  });
});

describe('successes', () => {
  const success = (
    ordinal: number,
    token: string,
    to: Partial<Record<number, unknown>> = {},
  ): CompleteItem => {
    const item: unknown[] = [
      `${WID}-0-${ordinal}`,
      token,
      State.succeeded,
      `"${ordinal}"`,
      '',
      '',
      0,
      5,
      3,
      0,
      0,
      false,
    ];
    item.push([], '', true);
    for (const [at, value] of Object.entries(to)) item[Number(at)] = value;
    return item as unknown as CompleteItem;
  };

  test('of one run and claim are one slice; each answer finds its item', () => {
    const items = [
      success(1, 'a.x'),
      success(9, '3.y'),
      success(0, 'f.x', { 14: false }),
      success(2, 'b.x'),
      success(64, '4.y'),
    ];
    const { single, slices, order } = bySlice(items);
    expect(single).toEqual([items[2]]);
    expect(slices).toEqual([
      [WID, 0, [1, 2], [10, 11], 'x', ['"1"', '"2"'], [5, 5], [3, 3]],
      [WID, 0, [9], [3], 'y', ['"9"'], [5], [3]],
      [WID, 0, [64], [4], 'y', ['"64"'], [5], [3]],
    ]);
    expect(order).toEqual([2, 0, 3, 1, 4]);
  });

  test('failures, decided ends and a second word on a job go one by one', () => {
    const items = [
      success(1, 'a.x'),
      success(1, 'a.x'),
      success(2, 'b.x', { 2: State.failed }),
      success(3, 'c.x', { 11: change() }),
    ];
    expect(bySlice(items).single).toEqual(items.slice(1));
  });
});

test('the tokens of a slice follow one another', () => {
  expect(tokenAfter('ff.a.b', 1)).toBe('100.a.b');
});
