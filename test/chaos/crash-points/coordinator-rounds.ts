/**
 * The points of coordinator A: one round each, on one fleet.
 *
 * A round: A is armed, agent a is brought to it, the workload runs, A dies and is started again unarmed while the workload
 * goes on, and when all has ended everything is checked.
 */
import { rm } from 'node:fs/promises';
import { parseWorkflowId, keys } from '../../../coordinator/queue/keys.ts';
import { createClient, isTerminalStatus } from '../../../sdk/client/index.ts';
import { checkWorkflows } from './check.ts';
import { NAMESPACE } from './fleet.ts';
import type { Fleet } from './fleet.ts';
import { leftovers } from './leftovers.ts';
import { pointName, pointsOf } from './points.ts';
import type { CrashPoint } from './points.ts';
import { readReport } from './report.ts';
import { runWorkload } from './workload.ts';
import type { Acked } from './workload.ts';

/** A point that depends on who comes first is tried again. */
const TRIES = 10;
/** A fact whose decision is lost and that nothing else brings up: the crash before the points that repair. */
const REPAIRED = 'after due:queued';

export interface Outcome {
  readonly point: string;
  /** The process died there and nowhere else. */
  readonly reached: boolean;
  readonly tries: number;
  readonly problems: readonly string[];
  readonly wallMs: number;
}

export class CoordinatorRounds {
  readonly #fleet: Fleet;
  readonly #known = new Set<string>();
  /** Kinds of writes seen only after a crash: nearly always what repairs it. */
  readonly #repairs = new Set<string>();
  #round = 0;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /** Rounds without a crash and, unless `short`, one with; the kinds of writes they made. */
  async record(short: boolean): Promise<{ kinds: ReadonlySet<string>; problems: string[] }> {
    const problems: string[] = [];
    for (let i = 0; i < (short ? 1 : 2); i++) problems.push(...(await this.#runRound()));
    const plain = readReport(this.#fleet.report).seen;
    if (short) return { kinds: plain, problems };
    await this.#fleet.a.arm(REPAIRED);
    problems.push(...(await this.#runRound()));
    const { seen } = readReport(this.#fleet.report);
    for (const kind of seen) if (!plain.has(kind)) this.#repairs.add(kind);
    return { kinds: seen, problems };
  }

  async run(point: CrashPoint): Promise<Outcome> {
    const begin = performance.now();
    const problems: string[] = [];
    let tries = 0;
    let reached = false;
    while (!reached && problems.length === 0 && tries < TRIES) {
      tries++;
      await rm(this.#fleet.report, { force: true });
      problems.push(...(await this.#try(point, tries)));
      const { died } = readReport(this.#fleet.report);
      reached = died.at(-1) === pointName(point);
    }
    return { point: pointName(point), reached, tries, problems, wallMs: performance.now() - begin };
  }

  async #try(point: CrashPoint, attempt: number): Promise<string[]> {
    const fleet = this.#fleet;
    if (point.kind.startsWith('HSETNX')) {
      await this.#forgetCreation();
      await fleet.a.kill();
      const { over } = await fleet.startA(pointName(point));
      if (over) await fleet.startA();
      return this.#runRound();
    }
    // Every other time as if it were none: the recording may have missed it in the rounds without a crash.
    const repair = this.#repairs.has(point.kind) && attempt % 2 === 1;
    await fleet.a.arm(repair ? REPAIRED : pointName(point));
    return this.#runRound(repair ? [pointName(point)] : []);
  }

  /** Starts A again when it dies, armed with the next of `points`. Leaves A alive and unarmed. */
  async #runRound(points: string[] = []): Promise<string[]> {
    const fleet = this.#fleet;
    const round = this.#round++;
    const over = Promise.withResolvers<void>();
    let settled = false;
    const keepUp = (async () => {
      for (;;) {
        await Promise.race([fleet.a.ended, over.promise]);
        if (settled && !fleet.a.over) return;
        if (fleet.a.over) await fleet.startA(points.shift());
      }
    })();
    const acked: Acked[] = [];
    try {
      await fleet.bringToA();
      await runWorkload({ fleet, round, acked });
    } catch (error) {
      return [
        `the workload did not come to its end: ${(error as Error).message}`,
        ...(await this.#open(acked)),
      ];
    } finally {
      await fleet.a.arm('');
      settled = true;
      over.resolve();
      await keepUp;
      for (const { id } of acked) this.#known.add(parseWorkflowId(id) as string);
    }
    const { redis, cell } = fleet;
    const place = { redis, cell, address: fleet.address('b') };
    return [...(await checkWorkflows(place, acked)), ...(await leftovers(redis, cell, this.#known))];
  }

  /** What has not ended. */
  async #open(acked: readonly Acked[]): Promise<string[]> {
    const client = createClient({ address: this.#fleet.address('b') });
    try {
      const all = await Promise.all(
        acked.map(async ({ name, id, watched }) => {
          const { status, steps } = await client.get(id, { includeJobs: true });
          const jobs = steps.flatMap((step) =>
            step.jobs.map((job) => `${job.id} ${job.status} ${job.agentId}`),
          );
          const seen = watched?.map(({ type }) => type).join(' ') ?? 'nothing';
          return { status, text: `${name} (${id}) is ${status}; ${jobs.join(', ')}; watched: ${seen}` };
        }),
      );
      return all.filter(({ status }) => !isTerminalStatus(status)).map(({ text }) => text);
    } finally {
      client.close();
    }
  }

  async #forgetCreation(): Promise<void> {
    await this.#fleet.redis.del(keys.creation(NAMESPACE));
  }
}

export function coordinatorPoints(kinds: Iterable<string>): CrashPoint[] {
  return pointsOf(kinds, () => ['before', 'after']);
}
