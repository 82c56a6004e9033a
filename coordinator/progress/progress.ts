/** Progress of jobs as they are shown: what the executor said, or the estimate, which never goes back. */
import type { Member } from '../agents/members.ts';
import { costOn } from '../forecast/outlook.ts';
import type { CapabilityClass } from '../queue/match.ts';
import type { JobRecord } from '../queue/reads.ts';
import { HighWater, progressOf } from './estimate.ts';
import type { Progress } from './estimate.ts';

export interface JobProgressOptions {
  readonly memberOf: (agentId: string) => Member | undefined;
  readonly needOf: (queue: string) => CapabilityClass | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export class JobProgress {
  readonly #options: JobProgressOptions;
  readonly #highWater = new HighWater();

  constructor(options: JobProgressOptions) {
    this.#options = options;
  }

  of(ref: string, job: JobRecord): Progress {
    const { memberOf, needOf, now } = this.#options;
    const need = needOf(job.queue);
    const member = job.agent === '' ? undefined : memberOf(job.agent);
    const estimable = member !== undefined && need !== undefined;
    return this.#highWater.raise(
      `${ref} ${job.token}`,
      progressOf(
        {
          state: job.state,
          startedAt: job.startedAt,
          reported: job.progressSource === 0 ? -1 : job.progress,
          cost: estimable ? costOn(member, need, job.cost) : job.cost,
          throughput: estimable ? member.throughputOf(need.type) : undefined,
        },
        now(),
      ),
    );
  }
}
