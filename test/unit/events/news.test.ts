/** Who is told by the poll, and how many at a time. */
import { expect, test } from 'vitest';
import { News } from '../../../coordinator/events/news.ts';

function waiting(count: number): { news: News; told: Map<string, number>; off: (() => void)[] } {
  const news = new News();
  const told = new Map<string, number>();
  const off = Array.from({ length: count }, (_, i) =>
    news.listen(`w${i}`, () => told.set(`w${i}`, (told.get(`w${i}`) ?? 0) + 1)),
  );
  return { news, told, off };
}

test('a few are all told at each poll', async () => {
  const { news, told } = waiting(40);
  await news.tellSome();
  await news.tellSome();
  expect([...told.values()]).toEqual(Array.from({ length: 40 }, () => 2));
});

test('of many a share at each poll, and everybody in turn', async () => {
  const { news, told } = waiting(1000);
  await news.tellSome();
  expect(told.size).toBeLessThan(300);
  for (let poll = 0; poll < 3; poll++) await news.tellSome();
  expect(told.size).toBe(1000);
  expect(Math.max(...told.values())).toBeLessThanOrEqual(2);
});

test('who signs off is told no more, who comes is', async () => {
  const { news, told, off } = waiting(3);
  for (const end of off) end();
  await news.tellSome();
  expect(told.size).toBe(0);
  let late = 0;
  news.listen('late', () => late++);
  await news.tellSome();
  expect(late).toBe(1);
});
