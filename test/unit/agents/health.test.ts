/** Who is shut out, and who never is: a fleet played through, one result after the other. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Health, sentence, step } from '../../../coordinator/agents/health.ts';
import type { Others, Sentence, Standing } from '../../../coordinator/agents/health.ts';

const TIMES = { quarantineMs: 60_000, quarantineMaxMs: 3_600_000 };

/** Agents of one type that take jobs; shut out by the verdict alone. */
class Fleet {
  readonly health = new Health();
  readonly shutOut = new Map<string, Sentence>();
  readonly agents: readonly string[];
  now = 1;

  constructor(...agents: string[]) {
    this.agents = agents;
  }

  others: Others = {
    hasOthers: (_, agentId) => this.agents.some((id) => id !== agentId && !this.shutOut.has(id)),
    isShutOut: (agentId) => this.shutOut.has(agentId),
  };

  ends(agentId: string, ok: boolean): void {
    this.health.note(agentId, 'x', ok, this.now++, 'BROKEN');
    for (const id of this.agents) {
      if (this.shutOut.has(id)) continue;
      const reason = this.health.verdict(id, 'x', this.others);
      if (reason !== undefined) this.shutOut.set(id, sentence({ reason, type: 'x' }, this.now, TIMES));
    }
  }

  /** May be given a job, of which it fails or does one after the other. */
  takes(agentId: string): boolean {
    return !this.shutOut.has(agentId) && !this.health.isUndecided(agentId, 'x', this.others);
  }
}

const agents = fc
  .integer({ min: 2, max: 5 })
  .map((count) => Array.from({ length: count }, (_, i) => `a${i}`));
const results = fc.array(fc.tuple(fc.nat({ max: 4 }), fc.boolean()), { maxLength: 80 });

describe('quarantine', () => {
  it('never takes the only one that can run the type', () => {
    fc.assert(
      fc.property(results, fc.nat({ max: 4 }), (list, last) => {
        const fleet = new Fleet('only');
        // What others did before they left stays known.
        for (const [who, ok] of list) fleet.ends(who === last ? 'only' : `gone${who}`, ok);
        expect([...fleet.shutOut.keys()]).toEqual([]);
      }),
    );
  });

  it('leaves somebody open, whatever happens', () => {
    fc.assert(
      fc.property(agents, results, (ids, list) => {
        const fleet = new Fleet(...ids);
        for (const [who, ok] of list) fleet.ends(ids[who % ids.length] as string, ok);
        expect(fleet.shutOut.size).toBeLessThan(ids.length);
      }),
    );
  });

  it('takes nobody while all fail alike, however well they did before', () => {
    fc.assert(
      fc.property(agents, results, fc.array(fc.nat({ max: 4 }), { maxLength: 80 }), (ids, before, order) => {
        const fleet = new Fleet(...ids);
        for (const [who] of before) fleet.ends(ids[who % ids.length] as string, true);
        for (const who of order) {
          const id = ids[who % ids.length] as string;
          if (fleet.takes(id)) fleet.ends(id, false);
        }
        expect([...fleet.shutOut.keys()]).toEqual([]);
      }),
    );
  });

  it('takes a box that fails everything beside a good one, after 5 failures in a row and what was in flight', () => {
    fc.assert(
      fc.property(
        results,
        fc.integer({ min: 1, max: 8 }),
        fc.infiniteStream(fc.boolean()),
        (before, slots, turns) => {
          const fleet = new Fleet('bad', 'good');
          for (const [who] of before) fleet.ends(who % 2 === 0 ? 'bad' : 'good', true);
          let failed = 0;
          const fail = (): void => {
            failed++;
            fleet.ends('bad', false);
          };
          let inFlight = slots;
          let turn = 0;
          for (; !fleet.shutOut.has('bad') && turn < 200; turn++) {
            const isBad = turns.next().value as boolean;
            if (!isBad) fleet.ends('good', true);
            else if (inFlight > 0) {
              inFlight--;
              fail();
            } else if (fleet.takes('bad')) fail();
          }
          expect(fleet.shutOut.get('bad')?.reason).toContain('jobs of type x failed (BROKEN)');
          expect(failed).toBeLessThanOrEqual(5 + slots);
          expect(fleet.shutOut.has('good')).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('takes one that fails half of its jobs where the others fail none', () => {
    const fleet = new Fleet('half', 'good');
    for (let i = 0; i < 60 && !fleet.shutOut.has('half'); i++) {
      fleet.ends('good', true);
      fleet.ends('half', i % 4 > 1);
    }
    expect(fleet.shutOut.get('half')?.reason).toContain('10 of its last 20 jobs');
  });

  it('hears of the results of agents elsewhere', () => {
    const here = new Fleet('bad', 'good');
    const there = new Health();
    for (let i = 0; i < 5; i++) here.ends('bad', false);
    expect(here.health.isUndecided('bad', 'x', here.others)).toBe(true);
    for (let i = 0; i < 3; i++) there.note('good', 'x', true, here.now++);
    here.health.learn('good', JSON.parse(JSON.stringify(there.told('good'))));
    expect(here.health.verdict('bad', 'x', here.others)).toContain('of 3 jobs of other agents 0 did');
  });

  it('forgets whoever did nothing for a day, and begins anew after a quarantine', () => {
    const health = new Health();
    for (let i = 1; i < 4; i++) health.note('a', 'x', false, i);
    for (let i = 1; i < 4; i++) health.note('b', 'x', false, i);
    health.clear('b');
    expect([...health.suspects().keys()]).toEqual(['a']);
    health.prune(86_400_004);
    expect([...health.suspects().keys()]).toEqual([]);
    expect(health.told('a')).toEqual({});
  });
});

describe('the way of an agent', () => {
  it.each<[Standing, Parameters<typeof step>[1], Standing]>([
    ['open', { ok: false, inARow: 1 }, 'open'],
    ['open', { ok: false, inARow: 2 }, 'suspect'],
    ['suspect', { ok: true, inARow: 0 }, 'open'],
    ['suspect', { isBlackHole: true }, 'quarantined'],
    ['quarantined', { isDue: false }, 'quarantined'],
    ['quarantined', { ok: true }, 'quarantined'],
    ['quarantined', { isDue: true }, 'canary'],
    ['canary', { ok: true }, 'open'],
    ['canary', { ok: false, hasOthers: true }, 'quarantined'],
    ['canary', { ok: false, hasOthers: false }, 'suspect'],
    ['canary', {}, 'canary'],
  ])('from %s by %j to %s', (from, facts, to) => {
    expect(step(from, facts)).toBe(to);
  });

  it('is shut out twice as long each time, up to an hour', () => {
    let last: Sentence | undefined;
    const minutes = Array.from({ length: 9 }, () => {
      last = sentence({ reason: 'bad', type: 'x' }, 1000, TIMES, last);
      return (last.untilMs - 1000) / 60_000;
    });
    expect(minutes).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    expect(last).toMatchObject({ by: 'automatic', sinceMs: 1000, times: 8 });
  });
});
