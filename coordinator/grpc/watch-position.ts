/** WatchPosition: where jobs stand, from the queue to their end. */
import type {
  JobStanding__Output,
  State__Output,
  WatchPositionRequest__Output,
  WatchPositionResponse__Output,
} from '../../proto/gen/index.ts';
import type { Plain } from '../../proto/gen/load.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import { isTerminal } from '../../sdk/common/states.ts';
import type { Board, JobNow, WatchedJob } from '../forecast/board.ts';
import { jobId, parseJobId } from '../queue/keys.ts';
import type { Reads } from '../queue/reads.ts';
import type { Store } from '../queue/store.ts';
import { forecastMessage } from '../workflow/job-messages.ts';
import { readHead } from '../workflow/view.ts';

const MAX_JOBS = 1000;

export async function watchPosition(
  { store, reads, board }: { readonly store: Store; readonly reads: Reads; readonly board: Board },
  tenant: string,
  { jobIds }: WatchPositionRequest__Output,
  write: (response: Plain<WatchPositionResponse__Output>) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  if (jobIds.length === 0 || jobIds.length > MAX_JOBS)
    throw new DibsError('INVALID_REQUEST', `job_ids has 1 to ${MAX_JOBS} entries.`);
  const jobs = await findJobs(store, reads, tenant, jobIds);
  const left = new Set(jobIds);
  const changed = new Map<string, JobNow>();
  let wake: () => void = () => {};
  const signOff = board.watch(jobs, (news) => {
    for (const now of news) changed.set(now.ref, now);
    wake();
  });
  signal.addEventListener('abort', () => wake(), { once: true });
  try {
    void board.run();
    while (left.size > 0 && !signal.aborted) {
      if (changed.size === 0) await new Promise<void>((resolve) => (wake = resolve));
      if (signal.aborted) return;
      const standings = [...changed.values()].map(standingOf);
      changed.clear();
      for (const { jobId: id = '', state = 0 } of standings) if (isTerminal(state)) left.delete(id);
      await write({ jobs: standings });
    }
  } finally {
    signOff();
  }
}

/** Throws JOB_NOT_FOUND for one that does not exist, or is another tenant's. */
async function findJobs(
  store: Store,
  reads: Reads,
  tenant: string,
  ids: readonly string[],
): Promise<WatchedJob[]> {
  const tenants = new Map<string, Promise<string | undefined>>();
  return Promise.all(
    ids.map(async (id) => {
      const parsed = parseJobId(id);
      const cell = parsed && store.cellOf(parsed.wid);
      if (parsed === undefined || cell === undefined) throw notFound(id);
      const { wid, step, ordinal } = parsed;
      let owner = tenants.get(wid);
      if (owner === undefined) {
        owner = reads.head(cell, wid).then((head) => head && readHead(head).tenant);
        tenants.set(wid, owner);
      }
      if ((await owner) !== tenant) throw notFound(id);
      const [job] = await reads.jobs(cell, wid, step, ordinal, ordinal + 1);
      if (job === undefined) throw notFound(id);
      return { cell, wid, step, ordinal };
    }),
  );
}

function notFound(id: string): DibsError {
  return new DibsError('JOB_NOT_FOUND', `There is no job "${id.slice(0, 100)}".`);
}

function standingOf({ ref, state, forecast, progress, agentId }: JobNow): Plain<JobStanding__Output> {
  return {
    jobId: jobId(ref),
    state: state as State__Output,
    forecast: forecast === undefined ? null : forecastMessage(forecast),
    progress: progress.fraction,
    progressSource: progress.source,
    agentId,
  };
}
