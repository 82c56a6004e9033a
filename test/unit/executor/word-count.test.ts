import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CountSum,
  countText,
  histogramJson,
  isSpace,
  parseHistogram,
  topWords,
  WordCounter,
} from '../../../agent/executors/text/word-count.ts';

const plain = (text: string) => {
  const { histogram, ...counts } = countText(text);
  return { ...counts, histogram: Object.fromEntries(histogram) };
};

it('counts like wc', () => {
  expect(plain('one two\ntwo\tgrün\u00a0x\n')).toEqual({
    ...{ words: 4, lines: 2, bytes: 21, histogram: { one: 1, two: 2, 'grün\u00a0x': 1 } },
  });
  expect(plain('')).toEqual({ words: 0, lines: 0, bytes: 0, histogram: {} });
  expect(plain(' \n\v\f\r\t')).toEqual({ words: 0, lines: 1, bytes: 6, histogram: {} });
});

const text = fc
  .array(fc.oneof(fc.constantFrom(' ', '\n', '\t', 'a', 'the', 'é', '😀', '__proto__'), fc.string()))
  .map((parts) => parts.join(''));

it('does not depend on how the bytes arrive', () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 7 }), (whole, size) => {
      const bytes = Buffer.from(whole);
      const counter = new WordCounter();
      for (let at = 0; at < bytes.length; at += size) counter.add(bytes.subarray(at, at + size));
      expect(counter.finish()).toEqual(countText(whole));
    }),
  );
});

it('parts cut after white-space add up to the whole, byte for byte', () => {
  fc.assert(
    fc.property(text, fc.array(fc.nat(), { maxLength: 5 }), (whole, wishes) => {
      const bytes = Buffer.from(whole);
      const places = [...bytes.keys()].filter((at) => isSpace(bytes[at] as number)).map((at) => at + 1);
      const cuts = [...new Set(wishes.map((wish) => places[wish % (places.length || 1)] ?? 0))].sort(
        (a, b) => a - b,
      );
      const sum = new CountSum();
      [0, ...cuts].forEach((from, i) => {
        const part = countText(bytes.subarray(from, cuts[i] ?? bytes.length));
        sum.add({ ...part, histogram: parseHistogram(histogramJson(part.histogram)) });
      });
      const [merged, direct] = [sum.finish(), countText(whole)];
      expect({ ...merged, histogram: histogramJson(merged.histogram) }).toEqual({
        ...direct,
        histogram: histogramJson(direct.histogram),
      });
    }),
  );
});

describe('histograms', () => {
  it('have one spelling', () => {
    expect(
      histogramJson(
        new Map([
          ['b', 1],
          ['"', 2],
          ['10', 3],
          ['9', 4],
        ]),
      ),
    ).toBe('{\n"\\"": 2,\n"10": 3,\n"9": 4,\n"b": 1\n}\n');
    expect(histogramJson(new Map())).toBe('{}\n');
  });

  it('survive odd words', () => {
    const odd = new Map([
      ['__proto__', 2],
      ['constructor', 1],
    ]);
    expect(parseHistogram(histogramJson(odd))).toEqual(odd);
  });

  it('rank by number, then by word', () => {
    expect(
      topWords(
        new Map([
          ['b', 2],
          ['a', 2],
          ['c', 3],
          ['d', 1],
        ]),
        3,
      ),
    ).toEqual([
      ['c', 3],
      ['a', 2],
      ['b', 2],
    ]);
  });
});
