/**
 * Who fails where others do not: how the jobs of each agent came out, by step type, and the states that follow from it.
 *
 * Siblings: `quarantine.ts` keeps the sentences and acts on them. Nothing here reads a clock: times are given.
 *
 * Invariants:
 * 1. An agent is held against the others over the same time: against what they did since its own failures began.
 * 2. Nobody is quarantined for whom nobody else can stand in, nor while the others fail alike or have shown too little.
 * 3. A verdict looks at the newest results of a type, so many at most: it costs the same in any fleet.
 */

/** Results an agent is judged by. */
const WINDOW = 20;
/** Results of a type, whoever's, that others are judged by. */
const RECENT = 256;
/** Results that other coordinators hear of. */
const TOLD = 8;
/** Failures in a row that make an agent suspect, and those that may shut it out. */
const SUSPECT_ROW = 2;
const BAD_ROW = 5;
/** Share of a full window that may shut it out as well. */
const BAD_SHARE = 0.5;
/** Others must fail less than this part of its share. */
const ALIKE = 1 / 3;
/** Results of others without which they say nothing. */
const ENOUGH = 3;
/** Results nobody added to for this long are forgotten, milliseconds. */
const KEEP_MS = 24 * 3_600_000;

export type Standing = 'open' | 'suspect' | 'quarantined' | 'canary';

/** What one step of the table looks at. */
export interface Facts {
  /** How the job that has just ended came out; undefined = none has. */
  readonly ok?: boolean;
  /** Its failures in a row, newest last. */
  readonly inARow?: number;
  /** Others do well where it fails. */
  readonly isBlackHole?: boolean;
  /** Others can take its place. */
  readonly hasOthers?: boolean;
  /** Its time is over. */
  readonly isDue?: boolean;
}

interface Row {
  readonly from: Standing;
  readonly to: Standing;
  readonly when: (facts: Facts) => boolean;
}

/** The first row that applies. A release by an operator leads to `open` from everywhere. */
const TABLE: readonly Row[] = [
  { from: 'open', to: 'suspect', when: ({ inARow = 0 }) => inARow >= SUSPECT_ROW },
  { from: 'suspect', to: 'open', when: ({ ok }) => ok === true },
  { from: 'suspect', to: 'quarantined', when: ({ isBlackHole }) => isBlackHole === true },
  { from: 'quarantined', to: 'canary', when: ({ isDue }) => isDue === true },
  { from: 'canary', to: 'open', when: ({ ok }) => ok === true },
  { from: 'canary', to: 'suspect', when: ({ ok, hasOthers }) => ok === false && hasOthers === false },
  { from: 'canary', to: 'quarantined', when: ({ ok }) => ok === false },
];

export function step(standing: Standing, facts: Facts): Standing {
  return TABLE.find(({ from, when }) => from === standing && when(facts))?.to ?? standing;
}

/** Why an agent is shut out, and until when; what Redis keeps. */
export interface Sentence {
  readonly reason: string;
  readonly by: 'automatic' | 'operator';
  readonly sinceMs: number;
  /** When it goes on trial; 0 = when an operator releases it. */
  readonly untilMs: number;
  /** How often it went back since it last did well. */
  readonly times: number;
  /** Step type it failed at; '' = an operator's word. */
  readonly type: string;
}

/** `before`: the sentence whose trial it failed. */
export function sentence(
  cause: { readonly reason: string; readonly type: string },
  at: number,
  { quarantineMs, quarantineMaxMs }: { readonly quarantineMs: number; readonly quarantineMaxMs: number },
  before?: Sentence,
): Sentence {
  const times = before === undefined ? 0 : before.times + 1;
  const lastsMs = Math.min(quarantineMaxMs, quarantineMs * 2 ** times);
  return { ...cause, by: 'automatic', sinceMs: at, untilMs: at + lastsMs, times };
}

interface Result {
  readonly agentId: string;
  readonly at: number;
  readonly ok: boolean;
}

interface Type {
  /** By agent. */
  readonly watches: Map<string, Watch>;
  /** The newest, of all agents. */
  recent: Result[];
}

interface Watch {
  results: Result[];
  standing: 'open' | 'suspect';
  /** Of the last failure. */
  reason: string;
}

/** Per step type, newest last: when a job ended well, or minus when it failed. */
export type Told = Readonly<Record<string, readonly number[]>>;

export interface Others {
  /** Whether an agent other than this one takes jobs of the type. */
  readonly hasOthers: (type: string, agentId: string) => boolean;
  /** Whether an agent is shut out: what it did says nothing about the jobs. */
  readonly isShutOut: (agentId: string) => boolean;
}

export class Health {
  readonly #types = new Map<string, Type>();
  /** Agent → types it is suspect of. */
  readonly #suspects = new Map<string, Set<string>>();

  /** A job that counts has ended. */
  note(agentId: string, type: string, ok: boolean, at: number, reason = ''): void {
    const watch = this.#add(type, { agentId, at, ok });
    const { results } = watch;
    if (!ok) watch.reason = reason;
    const next = step(watch.standing, { ok, inARow: ok ? 0 : rowOf(results).length });
    if (next === 'open' || next === 'suspect') this.#put(agentId, type, watch, next);
  }

  /** What another coordinator says of its agent. */
  learn(agentId: string, told: Told): void {
    for (const [type, times] of Object.entries(told)) {
      const known = this.lastAt(agentId, type);
      for (const time of times) {
        const at = Math.abs(time);
        if (at > known) this.#add(type, { agentId, at, ok: time > 0 });
      }
    }
  }

  /** What other coordinators should know of an agent. */
  told(agentId: string): Told {
    const told: Record<string, readonly number[]> = {};
    for (const [type, { watches }] of this.#types) {
      const results = watches.get(agentId)?.results ?? [];
      if (results.length > 0) told[type] = results.slice(-TOLD).map(({ at, ok }) => (ok ? at : -at));
    }
    return told;
  }

  isSuspect(agentId: string): boolean {
    return this.#suspects.has(agentId);
  }

  /** Who is suspect of anything, with the types. */
  suspects(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#suspects;
  }

  /** Why a suspect has to be shut out; undefined when it has not. */
  verdict(agentId: string, type: string, others: Others): string | undefined {
    const watch = this.#watch(agentId, type);
    if (watch?.standing !== 'suspect') return undefined;
    for (const { results, share } of charges(watch.results)) {
      const peers = this.#peers(agentId, type, results[0]?.at ?? 0, others);
      const isBlackHole =
        peers.count >= ENOUGH &&
        peers.failed / peers.count < share * ALIKE &&
        others.hasOthers(type, agentId);
      if (step('suspect', { isBlackHole }) !== 'quarantined') continue;
      const failed = results.filter(({ ok }) => !ok).length;
      return (
        `${failed} of its last ${results.length} jobs of type ${type} failed (${watch.reason}); ` +
        `of ${peers.count} jobs of other agents ${peers.failed} did.`
      );
    }
    return undefined;
  }

  /** Whether others could stand in for a suspect, but have shown too little since its failures began. */
  isUndecided(agentId: string, type: string, others: Others): boolean {
    const watch = this.#watch(agentId, type);
    if (watch?.standing !== 'suspect') return false;
    const open = charges(watch.results).some(
      ({ results }) => this.#peers(agentId, type, results[0]?.at ?? 0, others).count < ENOUGH,
    );
    return open && others.hasOthers(type, agentId);
  }

  /** Whether the others fail as well: then it is not the agent. */
  isAlike(agentId: string, type: string, others: Others): boolean {
    const row = rowOf(this.#watch(agentId, type)?.results ?? []);
    const peers = this.#peers(agentId, type, row[0]?.at ?? 0, others);
    return peers.count >= ENOUGH && peers.failed / peers.count >= ALIKE;
  }

  /** When its last job of a type ended; 0 = never. */
  lastAt(agentId: string, type: string): number {
    return this.#watch(agentId, type)?.results.at(-1)?.at ?? 0;
  }

  /** It begins anew. */
  clear(agentId: string): void {
    this.#suspects.delete(agentId);
    for (const type of this.#types.values()) {
      if (!type.watches.delete(agentId)) continue;
      type.recent = type.recent.filter((result) => result.agentId !== agentId);
    }
  }

  /** Forgets whoever did nothing for long. */
  prune(at: number): void {
    for (const [type, { watches }] of this.#types) {
      for (const [agentId, { results }] of watches) {
        if ((results.at(-1)?.at ?? 0) > at - KEEP_MS) continue;
        watches.delete(agentId);
        this.#clearSuspect(agentId, type);
      }
      if (watches.size === 0) this.#types.delete(type);
    }
  }

  #watch(agentId: string, type: string): Watch | undefined {
    return this.#types.get(type)?.watches.get(agentId);
  }

  #add(name: string, result: Result): Watch {
    let type = this.#types.get(name);
    if (type === undefined) this.#types.set(name, (type = { watches: new Map(), recent: [] }));
    const { watches, recent } = type;
    let watch = watches.get(result.agentId);
    if (watch === undefined)
      watches.set(result.agentId, (watch = { results: [], standing: 'open', reason: '' }));
    recent.push(result);
    if (recent.length > RECENT) recent.shift();
    watch.results.push(result);
    if (watch.results.length > WINDOW) watch.results.shift();
    return watch;
  }

  #put(agentId: string, type: string, watch: Watch, standing: 'open' | 'suspect'): void {
    if (watch.standing === standing) return;
    watch.standing = standing;
    if (standing === 'open') {
      this.#clearSuspect(agentId, type);
      return;
    }
    const types = this.#suspects.get(agentId);
    if (types === undefined) this.#suspects.set(agentId, new Set([type]));
    else types.add(type);
  }

  #clearSuspect(agentId: string, type: string): void {
    const types = this.#suspects.get(agentId);
    types?.delete(type);
    if (types?.size === 0) this.#suspects.delete(agentId);
  }

  /** What the others did since. */
  #peers(agentId: string, type: string, since: number, { isShutOut }: Others) {
    let count = 0;
    let failed = 0;
    // Those of other coordinators come in late: not in the order of time.
    for (const { agentId: id, at, ok } of this.#types.get(type)?.recent ?? []) {
      if (at < since || id === agentId || isShutOut(id)) continue;
      count++;
      if (!ok) failed++;
    }
    return { count, failed };
  }
}

/** The failures at the end. */
function rowOf(results: readonly Result[]): readonly Result[] {
  return results.slice(results.findLastIndex(({ ok }) => ok) + 1);
}

/** What stands against an agent: the results it is judged by, and the share of them that failed. */
function charges(results: readonly Result[]): { results: readonly Result[]; share: number }[] {
  const found: { results: readonly Result[]; share: number }[] = [];
  const row = rowOf(results);
  if (row.length >= BAD_ROW) found.push({ results: row, share: 1 });
  const share = results.filter(({ ok }) => !ok).length / WINDOW;
  if (results.length === WINDOW && share >= BAD_SHARE) found.push({ results, share });
  return found;
}
