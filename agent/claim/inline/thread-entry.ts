/**
 * The inline thread: an executor host of its own, so that what an inline executor does to its event loop never reaches
 * the agent's. Sibling: `thread-host.ts` on the agent's side.
 *
 * 1. What happens in one turn goes out as one message.
 * 2. The number of a job is in the shared cell before its code runs: a thread that is busy cannot say so itself.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import type { ArtifactReference, CancelReason, JobHooks, JobHost, RunningJob } from '../../jobs/contract.ts';
import { createJobHost } from '../../jobs/host.ts';
import { plainFields } from '../../jobs/log.ts';
import type { HostLog, LogLevel } from '../../jobs/log.ts';
import { REQUEST_FIELDS, pushResult, requestAt } from './messages.ts';
import type { Answer, FromThread, Question, ThreadSetup, ToThread } from './messages.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer Item)[] ? Item[] : T[K] };

const port = parentPort as MessagePort;
const setup = workerData as ThreadSetup;
const current = new Int32Array(setup.current);
const running = new Map<number, RunningJob>();
const asking = new Map<number, (answer: Answer) => void>();
let asked = 0;
let out = nothing();
let scheduled = false;

function nothing(): Mutable<FromThread> {
  return {
    ready: undefined,
    started: [],
    done: [],
    progress: [],
    chunks: [],
    questions: [],
    log: [],
    pong: 0,
    stopped: false,
  };
}

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  setImmediate(flush);
}

function flush(): void {
  scheduled = false;
  const message = out;
  out = nothing();
  port.postMessage(message);
}

async function ask(question: Question): Promise<unknown> {
  const id = (asked += 1);
  const answer = await new Promise<Answer>((resolve) => {
    asking.set(id, resolve);
    out.questions.push({ id, question });
    schedule();
  });
  if (!answer.ok) throw new Error(answer.message);
  return answer.value;
}

/** The hooks of one job. */
class ThreadJob implements JobHooks {
  readonly job: number;

  constructor(job: number) {
    this.job = job;
  }

  started(): void {
    Atomics.store(current, 0, this.job); // 2
    out.started.push(this.job);
    schedule();
  }

  progress(fraction: number, message: string): void {
    out.progress.push({ job: this.job, fraction, message });
    schedule();
  }

  chunk(index: number, data: string): void {
    out.chunks.push({ job: this.job, index, data });
    schedule();
  }

  async emitJobs(batch: number, inputsJson: readonly string[]): Promise<void> {
    await ask({ kind: 'emit', job: this.job, batch, inputsJson });
  }
}

function run(host: JobHost, list: ToThread['run']): void {
  for (let at = 0; at < list.length; at += REQUEST_FIELDS) {
    const job = list[at] as number;
    const handle = host.run(requestAt(list, at), new ThreadJob(job));
    running.set(job, handle);
    void handle.done.then((result) => {
      running.delete(job);
      pushResult(out.done, job, result);
      schedule();
    });
  }
}

function cancel(cancels: readonly { job: number; reason: CancelReason }[]): void {
  for (const { job, reason } of cancels) running.get(job)?.cancel(reason);
}

function log(level: LogLevel): (fields: object, message: string) => void {
  return (fields, message) => {
    out.log.push({ level, fields: plainFields(fields as Record<string, unknown>), message });
    schedule();
  };
}

const hostLog: HostLog = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
const host = createJobHost({
  modules: setup.modules,
  workRoot: setup.workRoot,
  log: hostLog,
  ...(setup.maxOutputBytes === undefined ? {} : { maxOutputBytes: setup.maxOutputBytes }),
  artifacts: {
    fetch: async (reference: ArtifactReference) => (await ask({ kind: 'fetch', reference })) as string,
    store: async (path, about) => (await ask({ kind: 'store', path, about })) as ArtifactReference,
  },
});

try {
  await host.start();
  out.ready = { executors: host.executors, problem: '' };
} catch (error) {
  out.ready = { executors: [], problem: (error as Error).message };
}
flush();

// Only now: what comes before waits in the port, so no job meets a host that is not up.
port.on('message', (message: ToThread) => {
  for (const { id, answer } of message.answers) {
    asking.get(id)?.(answer);
    asking.delete(id);
  }
  if (message.cancel.length > 0) cancel(message.cancel);
  if (message.run.length > 0) run(host, message.run);
  if (message.ping > 0) {
    out.pong = message.ping;
    schedule();
  }
  if (message.stop) {
    void host.stop().then(() => {
      out.stopped = true;
      flush();
      port.close();
    });
  }
});
