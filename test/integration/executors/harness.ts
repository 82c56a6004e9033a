/** A job host over a temporary folder, with everything it does recorded. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ArtifactFolder } from '../../../agent/jobs/artifact-folder.ts';
import type { JobHost, JobRequest, JobResult, RunningJob } from '../../../agent/jobs/contract.ts';
import type { JobHostOptions } from '../../../agent/jobs/host-settings.ts';
import { createJobHost } from '../../../agent/jobs/host.ts';
import type { HostLog, LogLevel } from '../../../agent/jobs/log.ts';

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

export interface Job {
  readonly running: RunningJob;
  readonly done: Promise<JobResult>;
  /** Resolves when the executor has said it began. */
  readonly started: Promise<void>;
  /** Resolves with the first streamed text. */
  readonly spoke: Promise<string>;
  readonly events: string[];
  readonly emitted: string[][];
}

export interface Bench {
  readonly host: JobHost;
  readonly artifacts: ArtifactFolder;
  readonly folder: string;
  readonly lines: LogLine[];
  run(type: string, input?: unknown, more?: Partial<JobRequest>): Job;
  [Symbol.asyncDispose](): Promise<void>;
}

export const fixture = (name: string): string =>
  fileURLToPath(new URL(`./fixtures/${name}.ts`, import.meta.url));

let jobs = 0;

export async function openBench(
  modules: readonly string[],
  more: Partial<JobHostOptions> = {},
): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'dibs-host-'));
  const artifacts = new ArtifactFolder(join(folder, 'artifacts'));
  const lines: LogLine[] = [];
  const at = (level: LogLevel) => (fields: object, message: string) =>
    void lines.push({ level, message, fields: fields as Record<string, unknown> });
  const log: HostLog = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const host = createJobHost({
    modules,
    artifacts,
    log,
    workRoot: join(folder, 'work'),
    cancelGraceMs: { abort: 300, term: 300 },
    ...more,
  });
  const close = async (): Promise<void> => {
    await host.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await host.start();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    host,
    artifacts,
    folder,
    lines,
    run: (type, input = null, request = {}) => runOn(host, type, input, request),
    [Symbol.asyncDispose]: close,
  };
}

function runOn(host: JobHost, type: string, input: unknown, more: Partial<JobRequest>): Job {
  const jobId = `job_${++jobs}`;
  const events: string[] = [];
  const emitted: string[][] = [];
  const start = Promise.withResolvers<void>();
  const speech = Promise.withResolvers<string>();
  let over = false;
  const record = (event: string): void => {
    if (over) throw new Error(`hook after the end: ${event}`);
    events.push(event);
  };
  const request: JobRequest = {
    ...{ jobId, token: 't', type, inputJson: JSON.stringify(input), attempt: 1, timeoutMs: 0, cost: 1 },
    ...{ workflowId: 'wf_1', step: 's', index: 0, idempotencyKey: `key-${jobId}` },
    ...more,
  };
  const running = host.run(request, {
    started() {
      record('started');
      start.resolve();
    },
    progress: (fraction, message) => record(`progress ${fraction} ${message}`),
    chunk(index, data) {
      record(`chunk ${index} ${data}`);
      speech.resolve(data);
    },
    async emitJobs(batch, inputs) {
      record(`emitJobs ${batch}`);
      emitted.push([...inputs]);
    },
  });
  const done = running.done.then((result) => {
    over = true;
    return result;
  });
  return { running, done, started: start.promise, spoke: speech.promise, events, emitted };
}

/** A process that has ended but is not yet reaped by its new parent counts as gone. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return !existsSync('/proc/self/stat');
  }
}

/** Bounded wait for the end of processes that are nobody's children here, so that no event tells of it. */
export async function untilGone(pids: readonly number[], withinMs = 10_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (pids.some(isAlive)) {
    if (Date.now() > deadline) throw new Error(`still alive: ${pids.filter(isAlive).join(' ')}`);
    await new Promise((next) => setTimeout(next, 20));
  }
}
