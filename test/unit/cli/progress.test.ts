import fc from 'fast-check';
import { stripVTControlCharacters } from 'node:util';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { paint } from '../../../cli/output/paint.ts';
import { bar } from '../../../cli/progress/bar.ts';
import { LiveRegion } from '../../../cli/progress/live-region.ts';
import { progressLines, stepLine } from '../../../cli/progress/progress-lines.ts';
import type { StepProgress } from '../../../sdk/client/index.ts';

const plain = paint(false);
const step = (fields: Partial<StepProgress>): StepProgress => ({
  ...{
    name: 'tiles',
    type: 'image.upscale',
    status: 'processing',
    total: 8,
    succeeded: 3,
    failed: 0,
    running: 2,
    fraction: 0.4,
  },
  ...fields,
});

describe('bar', () => {
  it('is full at the end only and empty at the start only', () => {
    expect([bar(0, 4), bar(0.001, 4), bar(0.5, 4), bar(0.9999, 4), bar(1, 4), bar(7, 4), bar(-1, 4)]).toEqual(
      ['░░░░', '▏░░░', '██░░', '███▉', '████', '████', '░░░░'],
    );
  });

  it('has its width whatever the fraction', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 60 }),
        (fraction, width) => {
          expect([...bar(fraction, width)]).toHaveLength(width);
        },
      ),
    );
  });
});

describe('progress lines', () => {
  it('draws the whole and each step', () => {
    const steps = [
      step({}),
      step({ name: 'sheet', status: 'unassigned', total: 0, succeeded: 0, running: 0, fraction: 0 }),
    ];
    expect(
      progressLines(
        { title: 'photo', status: 'processing', steps, elapsedMs: 12_345 },
        { columns: 60, paint: plain },
      ),
    ).toEqual([
      '▶ photo  processing  12.3s',
      '  ▶ tiles  ███████████▏░░░░░░░░░░░░░░░░ 3/8 2 running',
      '  · sheet  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░',
    ]);
  });

  it('says what ended how', () => {
    const lines = progressLines(
      {
        title: 'x',
        status: 'failed',
        elapsedMs: 0,
        steps: [
          step({ status: 'failed', failed: 1, running: 0 }),
          step({ status: 'skipped', total: 0, fraction: 1, running: 0 }),
        ],
      },
      { columns: 80, paint: plain },
    );
    expect(lines[0]).toMatch(/^✗ x {2}failed/);
    expect(lines[1]).toMatch(/^ {2}✗ tiles .* 3\/8 1 failed$/);
    expect(lines[2]).toMatch(/^ {2}– tiles .* skipped$/);
  });

  it('is never wider than the terminal, whatever the names', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: 200 }),
        fc.array(fc.string({ maxLength: 60 }), { maxLength: 20 }),
        (columns, names) => {
          const steps = names.map((name, index) =>
            step({ name, total: index * 1000, succeeded: index * 999 }),
          );
          const lines = progressLines(
            { title: names.join(' '), status: 'processing', steps, elapsedMs: 1e9 },
            { columns, paint: paint(true) },
          );
          for (const line of lines) expect([...stripVTControlCharacters(line)].length).toBeLessThan(columns);
        },
      ),
    );
  });

  it('shows those at work when there are many', () => {
    const steps = Array.from({ length: 50 }, (_, index) =>
      step({
        name: `s${index}`,
        status: index === 40 ? 'processing' : 'succeeded',
        running: index === 40 ? 1 : 0,
      }),
    );
    const lines = progressLines(
      { title: 'x', status: 'processing', steps, elapsedMs: 0 },
      { columns: 80, paint: plain },
    );
    expect(lines).toHaveLength(14);
    expect(lines.some((line) => line.includes('s40 '))).toBe(true);
    expect(lines.at(-1)).toBe('    … and 38 more steps');
  });

  it('has a line for a pipe', () => {
    expect(stepLine(step({}))).toBe('tiles: processing (3/8 jobs, 2 running)');
    expect(stepLine(step({ status: 'skipped', total: 0, running: 0 }))).toBe('tiles: skipped');
  });
});

describe('live region', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function terminal(): { out: PassThrough; read: () => string } {
    const out = new PassThrough();
    return { out, read: () => (out.read() as Buffer | null)?.toString() ?? '' };
  }

  it('redraws at most once in a while, over what it drew before', () => {
    const { out, read } = terminal();
    let n = 0;
    const region = new LiveRegion(out, () => [`a ${n}`, 'b']);
    for (n = 1; n <= 5; n++) region.update();
    expect(read()).toBe('');
    vi.advanceTimersByTime(80);
    expect(read()).toBe('a 6\nb\n');
    region.update();
    vi.advanceTimersByTime(80);
    expect(read()).toBe('\u001b[2A\r\u001b[Ja 6\nb\n');
    region.finish();
  });

  it('draws the last state when it is finished, and nothing after', () => {
    const { out, read } = terminal();
    let state = 'first';
    const region = new LiveRegion(out, () => [state]);
    region.update();
    state = 'last';
    region.finish();
    region.finish();
    region.update();
    vi.advanceTimersByTime(10_000);
    expect(read()).toBe('last\n');
  });

  it('goes on counting time without events', () => {
    const { out, read } = terminal();
    const region = new LiveRegion(out, () => ['tick']);
    vi.advanceTimersByTime(580);
    expect(read()).toBe('tick\n');
    region.finish();
  });
});
