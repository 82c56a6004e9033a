/**
 * Finished jobs on their way into the store: with the decision that follows where it can be made ahead, and with the
 * settling of the workflow where it cannot.
 *
 * Invariants: the acknowledgement goes out only when the store has answered; output that is no JSON text ends the job
 * as EXECUTOR_CONTRACT, so consumers never meet it.
 */
import { Verdict } from '../../proto/gen/index.ts';
import type { JobCompletion__Output } from '../../proto/gen/index.ts';
import { State, isTerminal } from '../../sdk/common/states.ts';
import type { CompleteItem } from '../queue/items.ts';
import type { Store } from '../queue/store.ts';
import type { Shell } from '../workflow/shell.ts';
import type { HeldJob } from './held-jobs.ts';

/** Message texts longer than this are cut. */
const MAX_MESSAGE = 2000;

export interface CompletionsOptions {
  readonly store: Store;
  readonly shell: Shell;
  /** A workflow ended by this very completion; `output` is that of its only step, where it has one. */
  readonly onEnded: (wid: string, state: number, job: HeldJob, output: string) => void;
}

export type AckText = '' | 'LEASE_LOST';

export class Completions {
  readonly #options: CompletionsOptions;

  constructor(options: CompletionsOptions) {
    this.#options = options;
  }

  /** Stores one completion; `done` gets the text of the acknowledgement, `failed` means: no acknowledgement now. */
  store(
    job: HeldJob,
    said: JobCompletion__Output,
    done: (refused: AckText) => void,
    failed: (error: unknown) => void,
  ): void {
    const { store, shell } = this.#options;
    if (said.verdict === Verdict.VERDICT_CANCELED) {
      store
        .release(job.wid, [job.ref, job.token, said.outcome?.reason || 'RELEASED'])
        .then((reply) => done(reply === 'lost' ? 'LEASE_LOST' : ''), failed);
      return;
    }
    const item = this.#item(job, said);
    store.complete(
      job.wid,
      item,
      ([live, decided, todo, state]) => {
        done(live === 'lost' ? 'LEASE_LOST' : '');
        if (live === 'lost') return;
        if (todo === 1) void shell.settle(job.wid);
        else if (decided === 1 && isTerminal(state)) this.#options.onEnded(job.wid, state, job, item[3]);
      },
      failed,
    );
  }

  #item(job: HeldJob, said: JobCompletion__Output): CompleteItem {
    const age = Math.max(0, Math.min(-said.startedAgeMs, 7 * 86_400_000));
    if (said.verdict !== Verdict.VERDICT_SUCCEEDED) {
      const expired = said.verdict === Verdict.VERDICT_TIMED_OUT;
      const retryable = expired || said.verdict === Verdict.VERDICT_RETRYABLE;
      const reason = said.outcome?.reason || (expired ? 'DEADLINE_EXCEEDED_RUNNING' : 'EXECUTOR_ERROR');
      const message = (said.outcome?.message ?? '').slice(0, MAX_MESSAGE);
      const state = expired ? State.expired : State.failed;
      return [
        job.ref,
        job.token,
        state,
        '',
        reason,
        message,
        retryable ? 1 : 0,
        age,
        said.runMs,
        0,
        0,
        false,
        [],
      ];
    }
    const output = said.outputJson === '' ? 'null' : said.outputJson;
    if (!isJson(output)) {
      const message = 'The agent sent an output that is not JSON.';
      return [
        job.ref,
        job.token,
        State.failed,
        '',
        'EXECUTOR_CONTRACT',
        message,
        0,
        age,
        said.runMs,
        0,
        0,
        false,
        [],
      ];
    }
    const ahead =
      job.plan === undefined || job.view === undefined
        ? undefined
        : this.#options.shell.speculate(job.plan, job.view, job.step, output);
    return [
      job.ref,
      job.token,
      State.succeeded,
      output,
      '',
      '',
      0,
      age,
      said.runMs,
      ahead?.version ?? 0,
      ahead?.facts ?? 0,
      ahead?.change ?? false,
      ahead?.seen ?? [],
    ];
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
