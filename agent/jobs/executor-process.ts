/**
 * One child process that holds one executor, as the host sees it: start, talk, signal, know its end.
 *
 * Siblings: `child.ts` is the other side, `process-slot.ts` decides when to start and end one,
 * `process-job.ts` runs a job on one.
 *
 * Invariants:
 * 1. The child leads a process group of its own; when it ends, however it ends, the rest of that group is killed
 *    before `exited` resolves.
 * 2. `exited` resolves exactly once, at most PIPES_MS after the process is gone (an escaped grandchild may hold
 *    the pipes open).
 * 3. `loaded` resolves exactly once, also when the child ends before it is ready.
 * 4. The child's command line names the host's run folder: so the next host finds what a dead one left (`workdirs.ts`).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { FromChild, ToChild } from './child-protocol.ts';
import { childEnvironment } from './environment.ts';
import type { HostSettings } from './host-settings.ts';
import { LineLimit } from './line-limit.ts';
import { memoryKills } from './memory-kills.ts';
import { LastLines, onLines } from './output-lines.ts';
import { groupFollowers, signalGroup } from './process-group.ts';
import { siblingModule } from './sibling-module.ts';
import { failed, failedByExit, type ExitReport, type Outcome } from './verdicts.ts';

const PIPES_MS = 500;
/** After SIGKILL a process may hang in the kernel (a stuck driver): this long is waited for its end. */
export const KILL_WAIT_MS = 5000;

/** stdio of every child; the last pipe is its lifeline (see `parent-watch.ts`). */
const STDIO = ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'] as const;

export interface ProcessSpec {
  /** Absolute path. */
  readonly module: string;
  readonly type: string;
  readonly slot: number;
  /** Environment variables the executor names. */
  readonly env: readonly string[];
}

/** Starts an entry point of this folder as the leader of its own group, with lifeline and IPC; `args` are only for others to see. */
export function spawnChild(
  entry: 'child' | 'probe-child',
  environment: Record<string, string>,
  args: readonly string[] = [],
): ChildProcess {
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', siblingModule(entry), ...args], {
    stdio: [...STDIO],
    detached: true,
    serialization: 'advanced',
    env: environment,
  });
}

export class ExecutorProcess {
  readonly pid: number;
  /** Null = ready for jobs; otherwise why it never will be. */
  readonly loaded: Promise<Outcome | null>;
  readonly exited: Promise<ExitReport>;
  /** Who gets the child's messages about the job it runs. */
  listener: ((message: FromChild) => void) | null = null;
  /** For log lines. */
  jobId = '';
  alive = true;
  /** What `setup` started in the group and every job finds there. */
  residents: ReadonlySet<number> = new Set();
  readonly #child: ChildProcess;
  readonly #spec: ProcessSpec;
  readonly #settings: HostSettings;
  readonly #stderr = new LastLines();
  readonly #killsBefore = memoryKills();
  readonly #ready = Promise.withResolvers<Outcome | null>();

  /** `gpus`: UUIDs of those it may use; empty = what its slot says. */
  constructor(spec: ProcessSpec, settings: HostSettings, gpus: readonly string[] = []) {
    this.#spec = spec;
    this.#settings = settings;
    const environment = childEnvironment(process.env, [...settings.env, ...spec.env], {
      ...settings.slotEnvironment(spec.type, spec.slot),
      ...(gpus.length > 0 && { CUDA_VISIBLE_DEVICES: gpus.join(',') }),
    });
    this.#child = spawnChild('child', environment, [settings.jobsRoot]);
    this.pid = this.#child.pid ?? 0;
    this.exited = this.#watchEnd();
    this.loaded = this.#ready.promise.then((problem) => this.#countResidents(problem));
    this.#forwardOutput();
    this.#child.on('message', (message) => this.#receive(message as FromChild));
    this.send({
      kind: 'init',
      module: spec.module,
      type: spec.type,
      maxOutputBytes: settings.maxOutputBytes,
    });
    this.#limitSetup();
  }

  send(message: ToChild): void {
    // A child that is gone is found out by its exit, not here.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  signal(signal: NodeJS.Signals): void {
    if (this.alive) signalGroup(this.pid, signal);
  }

  /** A new job begins: what earlier ones wrote is not part of its story. */
  forgetOutput(): void {
    this.#stderr.clear();
  }

  /** Ends it in good order, with teardown, or by force when that takes too long. */
  async stop(): Promise<void> {
    const { abort, term } = this.#settings.cancelGraceMs;
    this.send({ kind: 'stop' });
    const terms = setTimeout(() => this.signal('SIGTERM'), abort);
    const kills = setTimeout(() => this.signal('SIGKILL'), abort + term);
    const { promise: gaveUp, resolve: giveUp } = Promise.withResolvers<void>();
    const last = setTimeout(giveUp, abort + term + KILL_WAIT_MS);
    await Promise.race([this.exited, gaveUp]);
    for (const timer of [terms, kills, last]) clearTimeout(timer);
  }

  #receive(message: FromChild): void {
    if (message.kind === 'ready') this.#ready.resolve(null);
    else if (message.kind === 'setup_failed') this.#ready.resolve(message.outcome);
    else if (message.kind === 'log') {
      this.#settings.log[message.level]({ ...message.fields, ...this.#logFields() }, message.message);
    } else this.listener?.(message);
  }

  async #countResidents(problem: Outcome | null): Promise<Outcome | null> {
    if (problem === null) this.residents = new Set(await groupFollowers(this.pid));
    return problem;
  }

  #watchEnd(): Promise<ExitReport> {
    const { promise, resolve } = Promise.withResolvers<ExitReport>();
    const end = (code: number | null, signal: string | null): void => {
      this.alive = false;
      signalGroup(this.pid, 'SIGKILL');
      const report = (): void => {
        clearTimeout(timer);
        // Escaped grandchildren may still hold the other ends: let go of ours.
        for (const stream of this.#child.stdio) stream?.destroy();
        const exit: ExitReport = {
          code,
          signal,
          stderr: this.#stderr.toString(),
          oomKilled: this.#killsBefore !== undefined && (memoryKills() ?? 0) > this.#killsBefore,
        };
        this.#ready.resolve(failedByExit(exit));
        resolve(exit);
      };
      const timer = setTimeout(report, PIPES_MS);
      this.#child.once('close', report);
    };
    this.#child.once('exit', end);
    // Every time: a second one that nobody hears would end the agent.
    this.#child.on('error', (error) => {
      if (this.pid !== 0) return;
      this.#stderr.add(`could not be started: ${error.message}`);
      end(null, null);
    });
    return promise;
  }

  #limitSetup(): void {
    const { setupTimeoutMs } = this.#settings;
    const timer = setTimeout(() => {
      this.#ready.resolve(
        failed('retryable', 'RESOURCE_ERROR', `setup took longer than ${setupTimeoutMs} ms`),
      );
      this.signal('SIGKILL');
    }, setupTimeoutMs);
    void this.loaded.then(() => clearTimeout(timer));
  }

  #forwardOutput(): void {
    const limit = new LineLimit();
    const print = (stream: 'stdout' | 'stderr', line: string): void => {
      const admitted = limit.admit();
      if (admitted === null) return;
      const { droppedBefore } = admitted;
      const fields = { ...this.#logFields(), stream, ...(droppedBefore === 0 ? {} : { droppedBefore }) };
      this.#settings.log.info(fields, line);
    };
    onLines(this.#child.stdout as Readable, (line) => print('stdout', line));
    onLines(this.#child.stderr as Readable, (line) => {
      this.#stderr.add(line);
      print('stderr', line);
    });
    // The lifeline: this end is only held open.
    this.#child.stdio[4]?.on('error', () => {});
  }

  #logFields(): Record<string, unknown> {
    return {
      executor: this.#spec.type,
      childPid: this.pid,
      ...(this.jobId === '' ? {} : { jobId: this.jobId }),
    };
  }
}
