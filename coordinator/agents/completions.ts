/**
 * Finished jobs on their way into the store: with the decision that follows where it can be made ahead, and with the
 * settling of the workflow where it cannot.
 *
 * Invariants: the acknowledgement goes out only when the store has answered; output that is no JSON text, or nested too
 * deeply, ends the job as EXECUTOR_CONTRACT and one that is too large as OUTPUT_TOO_LARGE, so consumers never meet it; a job
 * that an agent on trial fails goes back to its queue.
 */
import { Verdict } from '../../proto/gen/index.ts';
import type { JobCompletion__Output } from '../../proto/gen/index.ts';
import type { Problem } from '../../sdk/common/errors.ts';
import { State, isTerminal } from '../../sdk/common/states.ts';
import type { CompleteItem } from '../queue/items.ts';
import type { Store } from '../queue/store.ts';
import { WORKFLOW, json } from '../workflow/fields.ts';
import { MAX_JSON_DEPTH } from '../workflow/limits.ts';
import type { AheadDecision, Shell } from '../workflow/shell.ts';
import type { HeldJob } from './held-jobs.ts';
import type { Heard } from './quarantine.ts';

/** Size of an output, UTF-8 bytes of JSON. */
export const MAX_OUTPUT_BYTES = 1024 * 1024;
/** Message texts longer than this are cut. */
const MAX_MESSAGE = 2000;
/** Length of a reason: the store's records count its bytes in few bits. */
const MAX_REASON = 100;
/** Nothing runs for longer, milliseconds. */
const MAX_AGE_MS = 7 * 86_400_000;

export interface CompletionsOptions {
  readonly store: Store;
  readonly shell: Shell;
  /** What an executor or its process did; 'release' = the job has not failed for it. */
  readonly onHeard: (heard: Heard) => 'count' | 'release';
  /** A completion was stored, and accepted: [state, reason]. */
  readonly onStored?: (job: HeldJob, state: number, reason: string, runMs: number) => void;
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
    const release = (reason: string): void =>
      void store
        .release(job.wid, [job.ref, job.token, reason.slice(0, MAX_REASON)])
        .then((reply) => done(reply === 'lost' ? 'LEASE_LOST' : ''), failed);
    if (said.verdict === Verdict.VERDICT_CANCELED) {
      release(said.outcome?.reason || 'RELEASED');
      return;
    }
    const item = this.#item(job, said);
    if (this.#hear(job, item) === 'release') {
      release('CANARY_FAILED');
      return;
    }
    store.complete(
      job.wid,
      item,
      ([live, decided, todo, state]) => {
        done(live === 'lost' ? 'LEASE_LOST' : '');
        if (live === 'lost') return;
        if (live === 'ok') this.#options.onStored?.(job, item[2], item[4], item[8]);
        // A decision's own limits may have left some of it to the next one.
        const more = Array.isArray(item[11]) && item[11][5].length > 0;
        if (todo === 1 || (decided === 1 && more)) void shell.settle(job.wid);
        else if (decided === 1 && isTerminal(state)) this.#options.onEnded(job.wid, state, job, item[3]);
      },
      failed,
    );
  }

  #hear({ agentId, onTrial, plan, step }: HeldJob, item: CompleteItem): 'count' | 'release' {
    const [, , state, , reason] = item;
    const type = plan?.steps[step]?.type;
    const ok = state === State.succeeded;
    // Of jobs brought along from another session too little is known.
    if (type === undefined || (!ok && isOwnFault(item))) return 'count';
    return this.#options.onHeard({ agentId, type, ok, reason, onTrial });
  }

  #item(job: HeldJob, said: JobCompletion__Output): CompleteItem {
    if (said.verdict !== Verdict.VERDICT_SUCCEEDED) {
      const expired = said.verdict === Verdict.VERDICT_TIMED_OUT;
      const retryable = expired || said.verdict === Verdict.VERDICT_RETRYABLE;
      return failure(job, said, {
        state: expired ? State.expired : State.failed,
        reason: said.outcome?.reason || (expired ? 'DEADLINE_EXCEEDED_RUNNING' : 'EXECUTOR_ERROR'),
        message: said.outcome?.message ?? '',
        retryable,
      });
    }
    const output = said.outputJson === '' ? 'null' : said.outputJson;
    const wrong = mistakeIn(output);
    if (wrong !== undefined) return failure(job, said, { state: State.failed, retryable: false, ...wrong });
    const ahead = this.#speculate(job, output);
    return [
      job.ref,
      job.token,
      State.succeeded,
      output,
      '',
      '',
      0,
      startedAge(said),
      said.runMs,
      ahead?.version ?? 0,
      ahead?.facts ?? 0,
      ahead?.change ?? false,
      ahead?.seen ?? [],
      '',
      job.inRun,
    ];
  }

  #speculate({ plan, view, step }: HeldJob, output: string): AheadDecision | undefined {
    if (plan === undefined || view === undefined) return undefined;
    try {
      return this.#options.shell.speculate(plan, view, step, output);
    } catch {
      // Not lost: the decision is then made from what is stored, and reports what is wrong with it.
      return undefined;
    }
  }
}

interface Failure {
  readonly state: number;
  readonly reason: string;
  readonly message: string;
  readonly retryable: boolean;
}

function failure(
  job: HeldJob,
  said: JobCompletion__Output,
  { state, reason, message, retryable }: Failure,
): CompleteItem {
  return [
    job.ref,
    job.token,
    state,
    '',
    reason.slice(0, MAX_REASON),
    message.slice(0, MAX_MESSAGE),
    retryable ? 1 : 0,
    startedAge(said),
    said.runMs,
    0,
    0,
    false,
    [],
    said.blockedReason.slice(0, MAX_MESSAGE),
  ];
}

/** Whether a job failed by what it was given: that says nothing about its agent. */
function isOwnFault([, , , , reason, , , , , , , , , blocked = '']: CompleteItem): boolean {
  return reason === 'INVALID_INPUT' || blocked !== '';
}

function startedAge(said: JobCompletion__Output): number {
  return Math.max(0, Math.min(-said.startedAgeMs, MAX_AGE_MS));
}

/** Why an output cannot be kept; undefined when it can. */
function mistakeIn(output: string): { reason: string; message: string } | undefined {
  const problems: Problem[] = [];
  json(problems, output, WORKFLOW, 'output', MAX_OUTPUT_BYTES);
  switch (problems[0]?.reason) {
    case undefined:
      return undefined;
    case 'INPUT_TOO_LARGE':
      return {
        reason: 'OUTPUT_TOO_LARGE',
        message: `The output has more than ${MAX_OUTPUT_BYTES} bytes of JSON; return large data as an artifact.`,
      };
    case 'TOO_DEEP':
      return {
        reason: 'EXECUTOR_CONTRACT',
        message: `The output has more than ${MAX_JSON_DEPTH} lists and objects inside one another.`,
      };
    default:
      return { reason: 'EXECUTOR_CONTRACT', message: 'The agent sent an output that is not JSON.' };
  }
}
