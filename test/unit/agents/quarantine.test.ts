/** Sentences kept and acted upon: limits, trials, other coordinators' words. Redis is a hash in memory. */
import { expect, test } from 'vitest';
import { Health } from '../../../coordinator/agents/health.ts';
import { Quarantine } from '../../../coordinator/agents/quarantine.ts';
import type { QuarantineOptions } from '../../../coordinator/agents/quarantine.ts';

function rig() {
  const hash = new Map<string, string>();
  const redis = {
    hgetall: async () => Object.fromEntries(hash),
    hdel: async (_: string, field: string) => void hash.delete(field),
    eval: async (_script: string, _keys: number, _key: string, field: string, text: string) =>
      void hash.set(field, text),
  } as unknown as QuarantineOptions['redis'];
  const world = { now: 1_000_000, others: true, room: 0, words: 0, warned: 0 };
  const open = (): Quarantine =>
    new Quarantine({
      redis,
      namespace: 'n',
      health: new Health(),
      times: { quarantineMs: 1000, quarantineMaxMs: 3000 },
      now: () => world.now,
      log: { warn: () => void world.warned++, info: () => undefined },
      hasOthers: () => world.others,
      onRoom: () => void world.room++,
      onWord: () => void world.words++,
      onError: (error) => {
        throw error;
      },
    });
  const quarantine = open();
  const ends = (agentId: string, ok: boolean, type = 'x', onTrial = false) => {
    world.now++;
    return quarantine.heard({ agentId, type, ok, reason: ok ? '' : 'BROKEN', onTrial });
  };
  return { quarantine, world, ends, open, hash };
}

function shutOut() {
  const made = rig();
  for (let i = 0; i < 3; i++) made.ends('bad', false);
  for (let i = 0; i < 3; i++) made.ends('good', true);
  for (let i = 0; i < 2; i++) made.ends('bad', false);
  return made;
}

test('a suspect gets one job of the type at a time, a success opens it; shut out it gets none, on trial one', async () => {
  const { quarantine, world, ends } = rig();
  ends('bad', false);
  expect(quarantine.typeLimitOf('bad', 'x')).toBe(Number.POSITIVE_INFINITY);
  ends('bad', false);
  expect([quarantine.standingOf('bad'), quarantine.typeLimitOf('bad', 'x')]).toEqual(['suspect', 1]);
  // Of other types it gets what it asks for.
  expect([quarantine.limitOf('bad'), quarantine.typeLimitOf('bad', 'y')]).toEqual([Infinity, Infinity]);
  expect(world.room).toBe(0);
  ends('bad', true);
  expect([quarantine.typeLimitOf('bad', 'x'), world.room]).toEqual([Number.POSITIVE_INFINITY, 1]);

  for (let i = 0; i < 3; i++) ends('good', true);
  for (let i = 0; i < 5; i++) ends('bad', false);
  // What the good one did before its failures says nothing: it is held back until there is news, one job a while.
  expect([quarantine.standingOf('bad'), quarantine.typeLimitOf('bad', 'x')]).toEqual(['suspect', 0]);
  world.now += 1000;
  await quarantine.refresh();
  expect(quarantine.typeLimitOf('bad', 'x')).toBe(1);
  for (let i = 0; i < 3; i++) ends('good', true);
  await quarantine.refresh();
  expect([quarantine.standingOf('bad'), quarantine.limitOf('bad')]).toEqual(['quarantined', 0]);
  expect(world.warned).toBe(1);
  world.now += 1000;
  await quarantine.refresh();
  expect([quarantine.standingOf('bad'), quarantine.limitOf('bad')]).toEqual(['canary', 1]);
});

test('nobody is held back where all fail alike, nor where nobody else takes the type', () => {
  const { quarantine, world, ends } = rig();
  for (let i = 0; i < 4; i++) {
    ends('one', false);
    ends('other', false);
  }
  expect(['one', 'other'].map((id) => quarantine.standingOf(id))).toEqual(['suspect', 'suspect']);
  expect(['one', 'other'].map((id) => quarantine.typeLimitOf(id, 'x'))).toEqual([Infinity, Infinity]);
  world.others = false;
  for (let i = 0; i < 4; i++) ends('only', false, 'rare');
  expect([quarantine.standingOf('only'), quarantine.typeLimitOf('only', 'rare')]).toEqual([
    'suspect',
    Infinity,
  ]);
});

test('a failed trial doubles the time and costs its job nothing; only what it had failed at lets it out', async () => {
  const { quarantine, world, ends } = shutOut();
  // What it still had is no trial.
  expect(ends('bad', false)).toBe('count');
  for (const [times, lastsMs] of [
    [1, 2000],
    [2, 3000],
    [3, 3000],
  ] as const) {
    world.now = quarantine.sentenceOf('bad')?.untilMs ?? 0;
    expect(ends('bad', false, 'x', true)).toBe('release');
    expect(quarantine.sentenceOf('bad')).toMatchObject({ times, untilMs: world.now + lastsMs, type: 'x' });
    // Another it was given meanwhile changes nothing more.
    expect(ends('bad', false, 'x', true)).toBe('release');
    expect(quarantine.sentenceOf('bad')?.times).toBe(times);
  }
  world.now = quarantine.sentenceOf('bad')?.untilMs ?? 0;
  expect(ends('bad', true, 'y', true)).toBe('count');
  expect(quarantine.standingOf('bad')).toBe('canary');
  expect(ends('bad', true, 'x', true)).toBe('count');
  expect([quarantine.standingOf('bad'), quarantine.limitOf('bad')]).toEqual([
    'open',
    Number.POSITIVE_INFINITY,
  ]);
  await quarantine.refresh();
  expect(quarantine.sentenceOf('bad')).toBeUndefined();
});

test('where nobody else is left, a trial comes at once, and what fails there has failed', async () => {
  const { quarantine, world, ends } = shutOut();
  world.others = false;
  await quarantine.refresh();
  expect(quarantine.standingOf('bad')).toBe('canary');
  expect(ends('bad', false, 'x', true)).toBe('count');
  expect(quarantine.standingOf('bad')).toBe('open');
});

test('other coordinators find the sentence; an operator’s ends by an operator’s word alone', async () => {
  const { quarantine, world, open } = shutOut();
  const other = open();
  await other.refresh();
  expect(other.sentenceOf('bad')).toEqual(quarantine.sentenceOf('bad'));
  expect(await other.release('bad')).toBe(true);
  expect(await other.release('bad')).toBe(false);
  await quarantine.refresh();
  expect(quarantine.limitOf('bad')).toBe(Number.POSITIVE_INFINITY);

  await other.impose('good', 'wrong colours');
  await quarantine.refresh();
  world.now += 1e9;
  world.others = false;
  await quarantine.refresh();
  expect(quarantine.standingOf('good')).toBe('quarantined');
  expect(quarantine.sentenceOf('good')).toMatchObject({
    by: 'operator',
    reason: 'wrong colours',
    untilMs: 0,
  });
});
