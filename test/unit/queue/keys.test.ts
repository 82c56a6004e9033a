/** Names of ids and keys. */
import { describe, expect, test } from 'vitest';
import {
  cellIndexOf,
  jobId,
  jobRef,
  keys,
  makeCell,
  parseJobId,
  parseJobRef,
  parseWorkflowId,
  workflowId,
  workflowKey,
} from '../../../coordinator/queue/keys.ts';
import { slotOf } from '../../../coordinator/queue/slots.ts';

const wid = workflowKey('acme', 'r1', 6);

describe('local ids', () => {
  test('the same request of a tenant names the same workflow', () => {
    expect(workflowKey('acme', 'r1', 6)).toBe(wid);
    expect(wid).toMatch(/^0[0-5][0-9a-f]{24}$/);
  });

  test('the line between tenant and request is part of the name', () => {
    expect(workflowKey('ab', 'c', 1)).not.toBe(workflowKey('a', 'bc', 1));
    expect(workflowKey('1:a', 'b', 1)).not.toBe(workflowKey('1', 'a:b', 1));
    expect(workflowKey('', 'x', 1)).not.toBe(workflowKey('x', '', 1));
  });

  test('an id names its cell, in any number of cells', () => {
    for (const cells of [1, 2, 6, 36, 37, 1000]) {
      const seen = new Set<number>();
      for (let i = 0; i < 50 * Math.min(cells, 40); i++) {
        const id = workflowKey('acme', `r${i}`, cells);
        expect(id).toHaveLength(26);
        seen.add(cellIndexOf(id));
      }
      expect(Math.max(...seen)).toBeLessThan(cells);
      if (cells <= 40) expect(seen.size).toBe(cells);
    }
  });

  test('a known id stays what it is: they are kept outside', () => {
    expect(workflowKey('acme', 'request-1', 1)).toBe('009d5e9e7237fef941ddde8b58');
    expect(workflowKey('acme', 'request-1', 40)).toMatch(/^[01][0-9a-z]9d5e9e7237fef941ddde8b58$/);
  });
});

describe('public ids', () => {
  test('of a workflow, there and back', () => {
    expect(workflowId(wid)).toBe(`wf_${wid}`);
    expect(parseWorkflowId(workflowId(wid))).toBe(wid);
  });

  test('of a job, there and back', () => {
    const ref = jobRef(wid, 31, 9_999_999);
    expect(parseJobId(jobId(ref))).toEqual({ wid, step: 31, ordinal: 9_999_999, ref });
    expect(parseJobRef(ref)).toEqual({ wid, step: 31, ordinal: 9_999_999 });
  });

  test('nothing else is one', () => {
    const bad = [
      '',
      wid,
      'wf_',
      `wf_${wid}0`,
      `wf_${wid.toUpperCase()}`,
      `wf_${wid}\n`,
      ` wf_${wid}`,
      `job_${wid}`,
      `wf_${wid.slice(1)}`,
    ];
    for (const id of bad) expect(parseWorkflowId(id), `read ${id}`).toBeUndefined();
    const badJobs = [
      '',
      `job_${wid}`,
      `job_${wid}-0`,
      `job_${wid}-0-`,
      `job_${wid}--1-0`,
      `job_${wid}-0-1-2`,
      `job_${wid}-x-0`,
      `wf_${wid}-0-0`,
    ];
    for (const id of badJobs) expect(parseJobId(id), `read ${id}`).toBeUndefined();
    expect(parseJobId(`job_${wid}-123456-0`)).toBeUndefined();
    expect(parseJobId(`job_${wid}-0-12345678`)).toBeUndefined();
  });
});

describe('keys', () => {
  const cell = makeCell('dibs', 3, 'c3.x');
  const all = [
    keys.meta(cell),
    keys.bucket(cell, wid),
    keys.events(cell, wid),
    keys.queue(cell, 'image.upscale'),
    keys.fair(cell, 'image.upscale'),
    keys.classes(cell),
    keys.offers(cell),
    keys.leases(cell),
    keys.timers(cell),
    keys.todo(cell),
    keys.lastClaims(cell),
    keys.idle(cell, 'image.upscale'),
    keys.parked(cell, 'wf:x'),
    keys.created(cell, 20_000),
    keys.bus(cell),
  ];

  test('every key of a cell lies in its slot, whatever names stand in it', () => {
    const tagOf = (key: string): string => /\{([^}]*)\}/.exec(key)?.[1] ?? key;
    for (const key of [...all, keys.queue(cell, 'a}{b}'), keys.parked(cell, '{x}')]) {
      expect(key.startsWith('dibs:{c3.x}:')).toBe(true);
      expect(slotOf(tagOf(key))).toBe(slotOf('c3.x'));
    }
  });

  test('no two kinds meet', () => {
    expect(new Set(all).size).toBe(all.length);
    const kinds = all.map((key) => key.slice(cell.prefix.length).split(':')[0]);
    expect(new Set(kinds).size).toBe(all.length);
  });

  test('a job lies in the hash of its workflow', () => {
    for (const part of [jobRef(wid, 0, 0), `${wid}p`, `${wid}s3`])
      expect(keys.bucket(cell, part)).toBe(keys.bucket(cell, wid));
  });

  test('fleet keys stand beside the cells', () => {
    for (const key of [keys.agents('dibs'), keys.types('dibs'), keys.creation('dibs')])
      expect(key).toMatch(/^dibs:\{fleet\}:/);
  });
});
