import { describe, expect, it } from 'vitest';
import { age, bytes, span } from '../../../cli/output/times.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const ago = (ms: number): Date => new Date(NOW - ms);

describe('times for people', () => {
  it('tells how long ago', () => {
    expect([
      age(null, NOW),
      age(ago(900), NOW),
      age(ago(4_700), NOW),
      age(ago(90_000), NOW),
      age(ago(-50), NOW),
    ]).toEqual(['-', '900ms', '4s', '1m30s', '0ms']);
  });

  it('tells how long it took, or takes', () => {
    expect(span(null, null, NOW)).toBe('-');
    expect(span(ago(10_000), ago(7_500), NOW)).toBe('2.5s');
    expect(span(ago(3_600_000), null, NOW)).toBe('1h');
  });

  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [150 * 1024, '150 KiB'],
    [5 * 2 ** 30, '5.0 GiB'],
  ])('shows %d bytes as %s', (size, text) => {
    expect(bytes(size)).toBe(text);
  });
});
