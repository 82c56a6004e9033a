/** Positions in the packed records: written down once, the same in TypeScript and in Lua. */
import { describe, expect, test } from 'vitest';
import { HEAD, JOB, STEP, STEPS_PER_CHUNK, recordsPrelude } from '../../../coordinator/queue/records.ts';
import { freshStep, freshView, readHead, readStep } from '../../../coordinator/workflow/view.ts';
import { EVENT_TYPES } from '../../../sdk/common/events.ts';
import { State } from '../../../sdk/common/states.ts';

const tables = { HEAD, STEP, JOB };

describe.each(Object.entries(tables))('%s', (_, table) => {
  test('positions are 0, 1, 2, …', () => {
    expect(Object.values(table)).toEqual(Object.keys(table).map((__, index) => index));
  });
});

// Invariant 1 of records.ts: what is stored outlives a release. Append; never move or rename.
test('released positions keep their meaning', () => {
  expect(Object.keys(HEAD).join(' ')).toBe(
    'ver facts state tenant createdAt startedAt completedAt seq listed watch reason message failedStep cancel ' +
      'cancelMessage closing dirty stepCount openSteps okSteps weight requestId steps',
  );
  expect(Object.keys(STEP).join(' ')).toBe(
    'state needs total emitted nextJob open ok bad startedAt completedAt reason message close closePos fails',
  );
  expect(Object.keys(JOB).join(' ')).toBe(
    'state slot class band score member cost token agent hold claims recoveries attempt queuedAt startedAt completedAt ' +
      'input output reason message progress progressSource replaces agents runMs emitBatch',
  );
  expect(STEPS_PER_CHUNK).toBe(32);
});

describe('the Lua prelude', () => {
  const prelude = recordsPrelude();
  const table = (name: string): Record<string, number> => {
    const body = new RegExp(`^local ${name}=\\{(.*)\\}$`, 'm').exec(prelude)?.[1] ?? '';
    const fields = body.split(',').map((entry) => entry.split('=') as [string, string]);
    return Object.fromEntries(
      fields.map(([field, value]) => [field.replace(/^\['(.*)'\]$/, '$1'), Number(value)]),
    );
  };

  test('counts positions from 1', () => {
    for (const [name, source] of [
      ['H', HEAD],
      ['S', STEP],
      ['J', JOB],
    ] as const) {
      expect(table(name)).toEqual(
        Object.fromEntries(Object.entries(source).map(([field, position]) => [field, position + 1])),
      );
    }
  });

  test('knows states and events by their numbers', () => {
    expect(table('ST')).toEqual(State);
    expect(table('EV')).toEqual(Object.fromEntries(EVENT_TYPES.map((type, code) => [type, code])));
  });

  test('is one table a line: Lua allows 200 locals', () => {
    expect(prelude.split('\n')).toHaveLength(8);
    for (const line of prelude.split('\n')) expect(line).toMatch(/^local \w+=/);
  });
});

describe('views', () => {
  test('a fresh step has a value at every position', () => {
    expect(freshStep(3)).toHaveLength(Object.keys(STEP).length);
    expect(readStep(freshStep(3))).toMatchObject({
      state: State.unassigned,
      needs: 3,
      total: -1,
      open: 0,
      fails: [],
    });
  });

  test('a head reads back by name', () => {
    const packed = Object.keys(HEAD).map((name): unknown =>
      name === 'steps' ? [freshStep(0), freshStep(2)] : name === 'dirty' ? [-1, 4] : name,
    );
    expect(readHead(packed)).toMatchObject({
      version: 'ver',
      facts: 'facts',
      sequence: 'seq',
      requestId: 'requestId',
      dirty: [-1, 4],
      steps: [{ needs: 0 }, { needs: 2 }],
    });
  });

  test('the view before anything is stored is that of a fresh head', () => {
    const view = freshView([0, 1, 2], 'acme');
    expect(view).toMatchObject({
      version: 0,
      facts: 0,
      state: State.unassigned,
      tenant: 'acme',
      stepCount: 3,
      openSteps: 3,
    });
    expect(view.steps.map((step) => step?.needs)).toEqual([0, 1, 2]);
  });
});
