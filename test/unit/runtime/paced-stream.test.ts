import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PacedStream } from '../../../runtime/paced-stream.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const MIB = 1024 * 1024;

function make() {
  const waiting: (() => void)[] = [];
  const told: string[] = [];
  const stream = new PacedStream<string>({
    stream: { write: (_message, taken) => waiting.push(taken) },
    patienceMs: 1000,
    onRoom: () => told.push('room'),
    onStuck: () => told.push('stuck'),
  });
  const take = (count: number): void => waiting.splice(0, count).forEach((taken) => taken());
  return { stream, told, take, waiting };
}

describe('a paced stream', () => {
  it('is full at 16 messages on their way, and has room when all were taken', () => {
    const { stream, told, take } = make();
    for (let i = 0; i < 15; i++) stream.write('m', 10);
    expect(stream.isFull).toBe(false);
    stream.write('m', 10);
    expect(stream.isFull).toBe(true);
    take(15);
    expect(told).toEqual([]);
    take(1);
    expect([stream.isFull, told]).toEqual([false, ['room']]);
    vi.advanceTimersByTime(5000);
    expect(told).toEqual(['room']);
  });

  it('is full at 8 MiB on their way', () => {
    const { stream } = make();
    stream.write('m', 5 * MIB);
    expect(stream.isFull).toBe(false);
    stream.write('m', 5 * MIB);
    expect(stream.isFull).toBe(true);
  });

  it('is stuck when nothing is taken for the time it waits, not when little is', () => {
    const { stream, told, take, waiting } = make();
    for (let i = 0; i < 20; i++) stream.write('m', 0);
    for (let i = 0; i < 10; i++) {
      vi.advanceTimersByTime(900);
      take(1);
    }
    expect(told).toEqual([]);
    vi.advanceTimersByTime(1000);
    expect(told).toEqual(['stuck']);
    stream.write('m', 0);
    expect(waiting).toHaveLength(10);
    take(10);
    vi.advanceTimersByTime(5000);
    expect(told).toEqual(['stuck']);
  });

  it('says nothing after it was closed', () => {
    const { stream, told, take } = make();
    for (let i = 0; i < 20; i++) stream.write('m', 0);
    stream.close();
    vi.advanceTimersByTime(5000);
    take(20);
    expect(told).toEqual([]);
  });
});
