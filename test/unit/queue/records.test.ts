/** Layouts of the records: written down once, the same in TypeScript and in Lua. */
import { describe, expect, test } from 'vitest';
import {
  HEAD_FIELDS,
  JOB_FIELDS,
  STEPS_PER_CHUNK,
  STEP_FIELDS,
  logOffset,
  luaConstants,
  readHeadRecord,
  readJobRecord,
  readStepRecords,
  recordsPrelude,
} from '../../../coordinator/queue/records.ts';
import { pack } from '../../../coordinator/queue/codec.ts';
import { freshView, readChunk, readHead } from '../../../coordinator/workflow/view.ts';
import { EVENT_TYPES } from '../../../sdk/common/events.ts';
import { State } from '../../../sdk/common/states.ts';

type Fields = readonly (readonly [name: string, form: string])[];
const text = (fields: Fields): string => fields.map(([name, form]) => `${name}:${form}`).join(' ');

// Invariant 1 of records.ts: what is stored outlives a release. A new layout gets a new revision (queue/cells.ts).
test('released layouts stay', () => {
  expect(text(HEAD_FIELDS)).toBe(
    'ver:I4 facts:I4 state:B seq:I4 listed:I4 failedStep:i4 cancel:B closing:B stepCount:I4 openSteps:I4 okSteps:I4 ' +
      'weight:I4 createdAt:I6 startedAt:I6 completedAt:I6 stepsBytes:I4 tenant:Hs watch:Hs dirty:Hs requestId:Hs ' +
      'reason:I4s message:I4s cancelMessage:I4s',
  );
  expect(text(STEP_FIELDS)).toBe(
    'state:B needs:I4 total:i4 emitted:I4 nextJob:I4 open:I4 ok:I4 bad:i4 startedAt:I6 completedAt:I6 close:B ' +
      'closePos:I4 notes:I4s',
  );
  expect(text(JOB_FIELDS)).toBe(
    'state:B hold:B band:B progressSource:B claims:H recoveries:H attempt:I4 slot:I4 replaces:i4 emitBatch:I6 ' +
      'queuedAt:I6 claimedAt:I6 startedAt:I6 completedAt:I6 runMs:I6 score:d cost:d progress:d token:Bs agent:Hs class:Hs ' +
      'member:Bs input:I4s output:I4s reason:I4s message:I4s agents:I4s blocked:I4s history:I4s',
  );
  expect(STEPS_PER_CHUNK).toBe(32);
});

test.each([HEAD_FIELDS, STEP_FIELDS, JOB_FIELDS])('texts come last, no name twice', (...fields) => {
  const texts = (fields as Fields).map(([, form]) => form.endsWith('s'));
  expect(texts.lastIndexOf(false)).toBeLessThan(texts.indexOf(true));
  expect(new Set((fields as Fields).map(([name]) => name)).size).toBe(fields.length);
});

describe('for Lua', () => {
  const constants = luaConstants();

  test('positions count from 1', () => {
    for (const [prefix, fields] of [
      ['H', HEAD_FIELDS],
      ['S', STEP_FIELDS],
      ['J', JOB_FIELDS],
    ] as const) {
      fields.forEach(([name], index) => expect(constants.get(`${prefix}.${name}`)).toBe(index + 1));
    }
  });

  test('states and events by their numbers', () => {
    for (const [name, state] of Object.entries(State)) expect(constants.get(`ST.${name}`)).toBe(state);
    EVENT_TYPES.forEach((type, code) => expect(constants.get(`EV['${type}']`)).toBe(code));
  });

  test('one struct call packs a record, one unpacks it', () => {
    expect(recordsPrelude()).toContain('>I4I4BI4I4i4BBI4I4I4I4I6I6I6I4Hc0Hc0Hc0Hc0I4c0I4c0I4c0');
  });
});

/** As Lua's struct writes it. */
function stored(fields: Fields, values: Readonly<Record<string, number | string | Buffer>>): Buffer {
  return Buffer.concat(
    fields.map(([name, form]) => {
      const value = values[name] ?? (form.endsWith('s') ? '' : 0);
      const bytes = Buffer.alloc({ B: 1, H: 2, I: Number(form[1]), i: 4, d: 8 }[form[0] as 'B'] ?? 0);
      if (form.endsWith('s')) {
        const content = Buffer.from(value as string);
        bytes.writeUIntBE(content.length, 0, bytes.length);
        return Buffer.concat([bytes, content]);
      }
      if (form === 'd') bytes.writeDoubleBE(value as number);
      else if (form === 'i4') bytes.writeInt32BE(value as number);
      else bytes.writeUIntBE(value as number, 0, bytes.length);
      return bytes;
    }),
  );
}

describe('views', () => {
  test('a head reads back by name, its log left alone', () => {
    const dirty = Buffer.from([255, 255, 255, 255, 0, 0, 0, 4]);
    const notes = pack(['WHY', 'Därum', [[0, 6, 'BROKEN', '', 1, 0, 1]]]);
    const steps = Buffer.concat([
      stored(STEP_FIELDS, { total: -1, needs: 70_000 }),
      stored(STEP_FIELDS, { open: 2, notes }),
    ]);
    const head = {
      ver: 7,
      facts: 8,
      failedStep: -1,
      createdAt: 1.7e12,
      tenant: 'ä',
      requestId: 'r',
      message: 'm',
      dirty,
    };
    const record = stored(HEAD_FIELDS, { ...head, stepsBytes: steps.length });
    const bytes = Buffer.concat([record, steps, Buffer.from('log')]);
    expect(readHead(bytes)).toMatchObject({
      version: 7,
      facts: 8,
      failedStep: -1,
      createdAt: 1.7e12,
      tenant: 'ä',
      requestId: 'r',
      message: 'm',
      reason: '',
      dirty: [-1, 4],
      steps: [
        { needs: 70_000, total: -1, reason: '', fails: [] },
        { open: 2, reason: 'WHY', message: 'Därum', fails: [[0, 6, 'BROKEN', '', 1, 0, 1]] },
      ],
    });
    expect(bytes.subarray(logOffset(bytes)).toString()).toBe('log');
    expect(readChunk(steps)).toEqual(readHead(bytes).steps);
  });

  test('every field comes back under its own name', () => {
    const distinct = (fields: Fields, raw: string): Record<string, number | string> =>
      Object.fromEntries(
        fields.map(([name, form], i) => [
          name,
          form.endsWith('s') ? (name === raw ? '' : `text ${i}`) : i + 1,
        ]),
      );
    const head = distinct(HEAD_FIELDS, 'dirty');
    expect(readHeadRecord(stored(HEAD_FIELDS, head)).head).toEqual(head);
    const step = distinct(STEP_FIELDS, 'notes');
    const bytes = stored(STEP_FIELDS, step);
    expect(readStepRecords(Buffer.concat([bytes, bytes]), 0, 2 * bytes.length)).toEqual([step, step]);
    const job = distinct(JOB_FIELDS, 'history');
    expect(readJobRecord(stored(JOB_FIELDS, job))).toEqual(job);
  });

  test('a job reads back by name', () => {
    const job = {
      state: 4,
      replaces: -1,
      score: 2 ** 51 + 3,
      progress: -1,
      token: 'a.b',
      input: '{"ä":1}',
      agents: 'x,y',
    };
    expect(readJobRecord(stored(JOB_FIELDS, job))).toMatchObject({ ...job, output: '', runMs: 0 });
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
