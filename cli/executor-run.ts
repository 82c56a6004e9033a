/**
 * What `dibs executor run` does: one job of one executor, with no coordinator and no agent.
 *
 * Standard output carries the output JSON and nothing else; logs, progress and streamed text go to standard error.
 *
 * Exit codes: 0 succeeded · 2 the command line or the input is wrong · 5 no such module or type · 8 the job failed ·
 * 1 the module cannot be loaded · 124 timeout · 130 Ctrl-C.
 */
import { chmod, copyFile, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, extname, join, resolve } from 'node:path';
import type { JobHooks, JobHost, JobResult } from '../agent/jobs/contract.ts';
import { ArtifactFolder } from '../agent/jobs/artifact-folder.ts';
import { createJobHost, ExecutorLoadError } from '../agent/jobs/host.ts';
import type { HostLog } from '../agent/jobs/log.ts';
import { parseJson, type Json } from '../sdk/common/json.ts';
import { readInput, referencesIn, storeFiles } from './executor-run-input.ts';

export interface ExecutorRunOptions {
  readonly modulePath: string;
  /** Needed where the module has several executors. */
  readonly type?: string;
  /** JSON text, `@file`, or `-` for standard input. */
  readonly input: string;
  /** Paths by the names `{"$file": name}` uses; other names are paths themselves. */
  readonly files?: Readonly<Record<string, string>>;
  /** Where artifacts of the output go; left out = a fresh folder under the system's temporary one. */
  readonly outDir?: string;
  /** Milliseconds; 0 = none. */
  readonly timeoutMs?: number;
  readonly log?: HostLog;
  /** Ctrl-C. Left out = SIGINT of this process. */
  readonly signal?: AbortSignal;
  readonly stdin?: NodeJS.ReadableStream;
  readonly stdout?: NodeJS.WritableStream;
  readonly stderr?: NodeJS.WritableStream;
}

export async function runExecutor(options: ExecutorRunOptions): Promise<number> {
  const say = (line: string): void => void (options.stderr ?? process.stderr).write(`${line}\n`);
  const modulePath = resolve(options.modulePath);
  const found = await stat(modulePath).catch(() => undefined);
  if (found?.isFile() !== true) {
    say(`no such module: ${options.modulePath}`);
    return 5;
  }
  const input = await readInput(options.input, options.stdin ?? process.stdin);
  if (!input.ok) {
    say(input.message);
    return 2;
  }
  const scratch = await mkdtemp(join(tmpdir(), 'dibs-run-'));
  const artifacts = new ArtifactFolder(join(scratch, 'artifacts'));
  const log = options.log ?? plainLog(say);
  const host = createJobHost({ modules: [modulePath], artifacts, log, workRoot: join(scratch, 'work') });
  try {
    await host.start();
    const type = chooseType(host, options.type);
    if (typeof type !== 'string') {
      say(type.problem);
      return type.code;
    }
    let inputJson: string;
    try {
      inputJson = JSON.stringify(await storeFiles(input.value, options.files ?? {}, artifacts));
    } catch (error) {
      say(`--input: ${(error as Error).message}`);
      return 2;
    }
    const { result, interrupted } = await runOne(host, { ...options, type, inputJson, say });
    if (result.verdict !== 'succeeded') {
      say(`${result.verdict}: ${result.reason}: ${result.message}`);
      return interrupted ? 130 : exitCode(result);
    }
    await saveArtifacts(result.outputJson, artifacts, options.outDir, say);
    (options.stdout ?? process.stdout).write(`${result.outputJson}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ExecutorLoadError)) throw error;
    say(error.message);
    return 1;
  } finally {
    await host.stop();
    await rm(scratch, { recursive: true, force: true });
  }
}

function chooseType(host: JobHost, wanted: string | undefined): string | { problem: string; code: number } {
  const types = host.executors.map(({ type }) => type);
  if (wanted !== undefined) {
    if (types.includes(wanted)) return wanted;
    return { problem: `the module has no executor "${wanted}"; it has ${types.join(', ')}`, code: 5 };
  }
  const [only, ...others] = types;
  if (only !== undefined && others.length === 0) return only;
  return {
    problem: `the module has several executors, choose one with --type: ${types.join(', ')}`,
    code: 2,
  };
}

interface OneRun extends ExecutorRunOptions {
  readonly type: string;
  readonly inputJson: string;
  readonly say: (line: string) => void;
}

async function runOne(host: JobHost, run: OneRun): Promise<{ result: JobResult; interrupted: boolean }> {
  const hooks: JobHooks = {
    started: () => {},
    progress: (fraction, message) =>
      run.say(`${Math.round(fraction * 100)} %${message === '' ? '' : ` ${message}`}`),
    chunk: (_index, data) => void (run.stderr ?? process.stderr).write(data),
    emitJobs: async (batch, inputs) =>
      run.say(`emitted ${inputs.length} further jobs (batch ${batch}); not run here`),
  };
  const jobId = `job_local_${process.pid}`;
  const running = host.run(
    {
      ...{
        jobId,
        token: 'local',
        type: run.type,
        inputJson: run.inputJson,
        attempt: 1,
        timeoutMs: run.timeoutMs ?? 0,
      },
      ...{ cost: 1, workflowId: 'wf_local', step: run.type, index: 0, idempotencyKey: jobId },
    },
    hooks,
  );
  let interrupted = false;
  const cancel = (): void => {
    interrupted = true;
    running.cancel('user');
  };
  if (run.signal === undefined) process.on('SIGINT', cancel);
  else if (run.signal.aborted) cancel();
  else run.signal.addEventListener('abort', cancel);
  const result = await running.done;
  process.off('SIGINT', cancel);
  run.signal?.removeEventListener('abort', cancel);
  return { result, interrupted };
}

function exitCode({ verdict, reason }: JobResult): number {
  if (verdict === 'timed_out') return 124;
  if (verdict === 'canceled') return 9;
  return reason === 'INVALID_INPUT' ? 2 : 8;
}

async function saveArtifacts(
  outputJson: string,
  artifacts: ArtifactFolder,
  outDir: string | undefined,
  say: (line: string) => void,
): Promise<void> {
  const parsed = parseJson(outputJson);
  const references = parsed.ok ? referencesIn(parsed.value satisfies Json) : [];
  if (references.length === 0) return;
  const folder = outDir === undefined ? await mkdtemp(join(tmpdir(), 'dibs-output-')) : resolve(outDir);
  await mkdir(folder, { recursive: true });
  const taken = new Set<string>();
  for (const { $artifact, name } of references) {
    const source = await artifacts.fetch({ $artifact, name, size: 0, mediaType: '' });
    const target = join(folder, freeName(basename(name) || $artifact.slice(7, 19), taken));
    await copyFile(source, target);
    await chmod(target, 0o644); // blobs are read-only, results are the user's
    say(`wrote ${target}`);
  }
}

function freeName(name: string, taken: Set<string>): string {
  const ending = extname(name);
  let free = name;
  for (let n = 2; taken.has(free); n++) free = `${name.slice(0, name.length - ending.length)}-${n}${ending}`;
  taken.add(free);
  return free;
}

/** Log lines for people: the executor's own output and its `ctx.log`. */
function plainLog(say: (line: string) => void): HostLog {
  const line = (level: string) => (_fields: object, message: string) =>
    say(level === 'info' ? message : `${level}: ${message}`);
  return { debug: () => {}, info: line('info'), warn: line('warn'), error: line('error') };
}
