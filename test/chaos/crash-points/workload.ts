/**
 * The fixed script of a round: workflows that together touch every kind of write, submitted through coordinator A, with
 * what each must come to.
 *
 * Labels send jobs to the agent they are meant for: `a` (at A while A lives), `b` (at B; frozen once, so that leases and
 * offers run out), `c` (a bare agent of this script, which hands back what it gets first and leaves when it is done).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createClient, ref } from '../../../sdk/client/index.ts';
import type { DibsClient, Json, LogEvent, StateName, WorkflowInput } from '../../../sdk/client/index.ts';
import { isTerminalEvent } from '../../../sdk/client/index.ts';
import { RawAgent } from '../../support/raw-agent.ts';
import { until } from '../../support/until.ts';
import type { Fleet } from './fleet.ts';

/** A workflow that was acknowledged. */
export interface Acked {
  readonly name: string;
  readonly id: string;
  readonly requestId: string;
  readonly input: WorkflowInput;
  readonly status: StateName;
  /** Output by step; a step that is not named here may have any. */
  readonly outputs: Readonly<Record<string, Json>>;
  /** What a watch gave out, where one ran. */
  readonly watched: LogEvent[] | undefined;
}

type Plan = Omit<Acked, 'id' | 'requestId' | 'watched'> & { readonly watch?: true };

const on = (side: string) => ({ requirement: { labels: { side } } });
const items = (...values: Json[]): Json => ({ items: values });

/** `r` makes the numbers of a round its own. */
function plans(r: number): Plan[] {
  const plan = (
    name: string,
    steps: WorkflowInput['steps'],
    status: StateName,
    outputs: Record<string, Json>,
    more: Partial<WorkflowInput> = {},
  ): Plan => ({ name, input: { name, steps, ...more }, status, outputs });
  return [
    plan('solo', [{ type: 'crash.add', name: 's', input: { a: r, b: 1 }, ...on('a') }], 'succeeded', {
      s: r + 1,
    }),
    {
      ...plan(
        'chain',
        [
          { type: 'crash.add', name: 'x', input: { a: r, b: 1 }, ...on('a') },
          { type: 'crash.add', name: 'y', input: { a: ref('x'), b: 2 }, ...on('a') },
          { type: 'crash.add', name: 'z', input: { a: ref('y'), b: 3 } },
        ],
        'succeeded',
        { x: r + 1, y: r + 3, z: r + 6 },
      ),
      watch: true,
    },
    plan(
      'fan',
      [
        { type: 'crash.list', name: 'list', input: { n: 6 }, ...on('a') },
        {
          type: 'crash.add',
          name: 'part',
          forEach: { items: ref('list'), as: 'n' },
          input: { a: r, b: ref('n') },
          ...on('a'),
        },
        { type: 'crash.sum', name: 'sum', input: { of: ref('part', 'output.items') } },
      ],
      'succeeded',
      { part: items(...Array.from({ length: 6 }, (_, i) => r + i)), sum: 6 * r + 15 },
    ),
    plan(
      'flaky',
      [{ type: 'crash.flaky', name: 'f', input: { n: r }, retries: 1, ...on('a') }],
      'succeeded',
      { f: r },
    ),
    plan(
      'broken',
      [
        { type: 'crash.hold', name: 'sibling', ...on('a') },
        { type: 'crash.broken', name: 'broken', ...on('a') },
        { type: 'crash.add', name: 'never', input: { a: 1, b: 1 }, dependsOn: ['broken'] },
      ],
      'failed',
      { broken: null, never: null },
    ),
    plan(
      'spread',
      [{ type: 'crash.spread', name: 's', input: { n: r, parts: [1, 2, 3] }, ...on('a') }],
      'succeeded',
      {
        s: items(r, 1, 2, 3),
      },
    ),
    plan('progress', [{ type: 'crash.slow', name: 's', input: { n: r, ms: 250 }, ...on('a') }], 'succeeded', {
      s: r,
    }),
    { ...plan('cancel', [{ type: 'crash.hold', name: 'h', ...on('a') }], 'canceled', {}), watch: true },
    plan('attempt', [{ type: 'crash.hold', name: 'h', timeout: 250, ...on('a') }], 'expired', {}),
    plan(
      'queued',
      [{ type: 'crash.add', name: 'q', input: { a: 1, b: 1 }, queueTimeout: 200, ...on('nowhere') }],
      'expired',
      {},
    ),
    plan('expire', [{ type: 'crash.hold', name: 'h', ...on('a') }], 'expired', {}, { timeout: 500 }),
    plan('handed back', [{ type: 'crash.add', name: 'c', input: { a: r, b: 2 }, ...on('c') }], 'succeeded', {
      c: r + 2,
    }),
    // Of agent b, which is frozen while these run.
    {
      ...plan(
        'stall',
        [{ type: 'crash.slow', name: 's', input: { n: r, ms: 500 }, ...on('b') }],
        'succeeded',
        { s: r },
      ),
      watch: true,
    },
    {
      ...plan('late', [{ type: 'crash.hold', name: 'h', timeout: 700, ...on('b') }], 'expired', {}),
      watch: true,
    },
  ];
}

/** Submitted while agent b is frozen: its offer runs out. */
const lapsing = (r: number): Plan => ({
  name: 'lapse',
  input: { name: 'lapse', steps: [{ type: 'crash.add', name: 'l', input: { a: r, b: 9 }, ...on('b') }] },
  status: 'succeeded',
  outputs: { l: r + 9 },
  watch: true,
});

/** Plain ones, over the submit stream. */
const plain = (r: number): Plan[] =>
  Array.from({ length: 6 }, (_, i) => ({
    name: `plain ${i}`,
    input: { name: `plain ${i}`, steps: [{ type: 'crash.add', name: 'p', input: { a: r, b: i } }] },
    status: 'succeeded' as const,
    outputs: { p: r + i },
  }));

/** A round may take this long before it counts as stuck, milliseconds. */
const ROUND_MS = 40_000;

export interface RoundOptions {
  readonly fleet: Fleet;
  /** Part of every request id. */
  readonly round: number;
  readonly acked: Acked[];
}

/** Runs the script once; `acked` grows with what was acknowledged, so that it is known whatever comes of the round. */
export async function runWorkload({ fleet, round, acked }: RoundOptions): Promise<void> {
  const work = new Round(fleet, round, acked);
  try {
    await work.run();
  } finally {
    work.end();
  }
}

class Round {
  readonly #fleet: Fleet;
  readonly #round: number;
  readonly #acked: Acked[];
  readonly #client: DibsClient;
  /** The work is done, the bare agent may go. */
  readonly #leave = new AbortController();
  readonly #leaving = this.#leave.signal;
  readonly #over = new AbortController();
  readonly #watches: Promise<void>[] = [];

  constructor(fleet: Fleet, round: number, acked: Acked[]) {
    this.#fleet = fleet;
    this.#round = round;
    this.#acked = acked;
    this.#client = createClient({ address: [fleet.address('a'), fleet.address('b')] });
  }

  async run(): Promise<void> {
    const bare = this.#bareAgent();
    const visitor = this.#visitor();
    const all = plans(this.#round);
    await Promise.all([
      ...all.map((plan) => this.#submit(plan)),
      this.#submitPlain(),
      this.#cancelOnceStarted(),
      this.#freezeAgent(),
    ]);
    const signal = AbortSignal.any([this.#over.signal, AbortSignal.timeout(ROUND_MS)]);
    await Promise.all(this.#acked.map(({ id }) => this.#client.wait(id, { signal })));
    await Promise.all([...this.#watches, visitor]);
    this.#leave.abort();
    await bare;
  }

  end(): void {
    this.#over.abort();
    this.#client.close();
    this.#fleet.agent('b').signal('SIGCONT');
  }

  async #submit(plan: Plan): Promise<Acked> {
    const requestId = `round-${this.#round}-${plan.name}`;
    const { workflow } = await this.#client.submit(plan.input, { requestId, timeoutMs: ROUND_MS });
    const { watch, ...rest } = plan;
    const watched: LogEvent[] | undefined = watch === true ? [] : undefined;
    const acked: Acked = { ...rest, id: workflow.id, requestId, watched };
    this.#acked.push(acked);
    if (watched !== undefined) {
      const watching = this.#watch(workflow.id, watched);
      // Looked at when everything has ended; a round that fails before that ends it.
      watching.catch(() => undefined);
      this.#watches.push(watching);
    }
    return acked;
  }

  async #submitPlain(): Promise<void> {
    const list = plain(this.#round);
    const source = list.map(({ input }, i) => ({
      workflow: input,
      requestId: `round-${this.#round}-plain-${i}`,
    }));
    for await (const outcome of this.#client.submitMany(source)) {
      if (outcome.kind !== 'acked')
        throw new Error(`A plain workflow was not acknowledged but ${outcome.kind}.`);
      const plan = list[outcome.index] as Plan;
      this.#acked.push({ ...plan, id: outcome.workflowId, requestId: outcome.requestId, watched: undefined });
    }
  }

  async #watch(id: string, into: LogEvent[]): Promise<void> {
    for await (const event of this.#client.watch(id, { signal: this.#over.signal })) {
      if (event.type === 'resync') throw new Error(`The watch of ${id} had to begin anew.`);
      into.push(event);
      if (isTerminalEvent(event)) return;
    }
  }

  /** Until the watch of that workflow has seen such an event, or its end. */
  async #seen(name: string, accept: (event: LogEvent) => boolean): Promise<Acked> {
    return until(
      `an event of ${name}`,
      () =>
        this.#acked.find(
          (one) => one.name === name && one.watched?.some((event) => accept(event) || isTerminalEvent(event)),
        ),
      { timeoutMs: ROUND_MS },
    );
  }

  async #cancelOnceStarted(): Promise<void> {
    const { id } = await this.#seen('cancel', ({ type }) => type === 'job.started');
    await this.#client.cancel(id, { message: 'the script says so', timeoutMs: ROUND_MS });
  }

  /** Agent b stands still from when its jobs have begun until leases, offers and timers of its jobs have run out. */
  async #freezeAgent(): Promise<void> {
    const agent = this.#fleet.agent('b');
    await Promise.all(
      ['stall', 'late'].map((name) => this.#seen(name, ({ type }) => type === 'job.started')),
    );
    agent.signal('SIGSTOP');
    await this.#submit(lapsing(this.#round));
    await Promise.all([
      this.#seen('stall', ({ type }) => type === 'job.recovered'),
      // While A is away the sweep may come before the timer.
      this.#seen('late', ({ type }) => type === 'job.expired' || type === 'job.recovered'),
      this.#seen('lapse', ({ type }) => type === 'job.released'),
    ]);
    agent.signal('SIGCONT');
  }

  /** Hands its first job back and does it when it comes again; goes to B when A is gone. Leaves in good order at the end. */
  async #bareAgent(): Promise<void> {
    let handedBack = false;
    for (let at = 0; !this.#leaving.aborted && !this.#over.signal.aborted; at++) {
      const ended = Promise.withResolvers<void>();
      const agent = new RawAgent({
        address: this.#fleet.address(at % 2 === 0 ? 'a' : 'b'),
        id: `agent_c${this.#round}`,
        types: ['crash.add'],
        labels: { side: 'c' },
        credits: 4,
        answer: ({ jobId, token, inputJson }) => {
          if (!handedBack) {
            handedBack = true;
            agent.send({ released: [{ jobId, token, reason: 'NOT_NOW', message: '' }] });
            agent.grant();
            return undefined;
          }
          const { a, b } = JSON.parse(inputJson) as { a: number; b: number };
          return { output: a + b };
        },
      });
      agent.on('end', () => ended.resolve());
      const leave = (): void => {
        agent.send({ drain: { reason: 'done', deadlineMs: 1000 } });
        agent.finish();
      };
      const close = (): void => agent.close();
      this.#leaving.addEventListener('abort', leave, { once: true });
      this.#over.signal.addEventListener('abort', close, { once: true });
      await ended.promise;
      this.#leaving.removeEventListener('abort', leave);
      this.#over.signal.removeEventListener('abort', close);
      agent.close();
    }
  }

  /** Comes to A with a type nobody has heard of, and is gone without a word. */
  async #visitor(): Promise<void> {
    const agent = new RawAgent({
      address: this.#fleet.address('a'),
      id: `agent_v${this.#round}`,
      types: [`crash.visit-${this.#round}`],
      labels: { side: 'v' },
      credits: 0,
      answer: () => undefined,
    });
    await agent.welcomed.catch(() => undefined);
    await delay(20);
    agent.close();
  }
}
