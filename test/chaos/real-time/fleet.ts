/**
 * A system of its own for one scenario: a durable Redis, coordinators, agents, a client and a journal of executions.
 *
 * 1. Everything lies in one temporary folder, listens on free ports of loopback and is ended by pid.
 * 2. `stop` ends what still runs, frozen or not, and can be called at any time, twice too.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askAgent } from '../../../agent/status/control.ts';
import { controlPath } from '../../../agent/status/control-path.ts';
import type { AgentSnapshot } from '../../../agent/status/snapshot.ts';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient, WorkflowInput } from '../../../sdk/client/index.ts';
import { startRedis } from '../../support/redis-server.ts';
import type { TestRedis } from '../../support/redis-server.ts';
import { FollowedWorkflow } from './followed.ts';
import { LoggedProcess } from './process.ts';

/** Longer than any outage here: a watch must outlive it. */
const CLIENT_PATIENCE_MS = 15 * 60_000;
const EXECUTORS = join(import.meta.dirname, 'fixtures/executors.ts');

export interface FleetOptions {
  /** Flags of the coordinator; none = defaults. */
  readonly coordinatorArgs?: readonly string[];
  /** How the names of files begin in which all processes leave what they say; none = nowhere. */
  readonly logs?: string;
}

export interface FleetAgent {
  readonly proc: LoggedProcess;
  readonly id: string;
  status(): Promise<AgentSnapshot | undefined>;
}

/** One line of the journal. */
export interface Execution {
  readonly what: 'start' | 'end' | 'abort';
  readonly pid: number;
  readonly atMs: number;
}

export class Fleet {
  readonly redis: TestRedis;
  readonly #folder: string;
  readonly #options: FleetOptions;
  readonly #processes: LoggedProcess[] = [];
  readonly #clients: DibsClient[] = [];
  #address = '127.0.0.1:0';
  #coordinator: LoggedProcess | undefined;
  #client: DibsClient | undefined;
  #stopping: Promise<void> | undefined;

  private constructor(folder: string, redis: TestRedis, options: FleetOptions) {
    this.#folder = folder;
    this.redis = redis;
    this.#options = options;
  }

  /** Redis and a coordinator. */
  static async start(options: FleetOptions = {}): Promise<Fleet> {
    const folder = await mkdtemp(join(tmpdir(), 'dibs-real-time-'));
    const fleet = new Fleet(folder, await startRedis({ durable: true }), options);
    try {
      await fleet.startCoordinator();
    } catch (error) {
      await fleet.stop();
      throw error;
    }
    return fleet;
  }

  get client(): DibsClient {
    if (this.#client === undefined) {
      this.#client = createClient({ address: this.#address, reconnectMs: CLIENT_PATIENCE_MS });
      this.#clients.push(this.#client);
    }
    return this.#client;
  }

  get coordinator(): LoggedProcess {
    if (this.#coordinator === undefined) throw new Error('no coordinator has been started');
    return this.#coordinator;
  }

  /** Where executions write. */
  get journalPath(): string {
    return join(this.#folder, 'journal');
  }

  /** The second and later ones take the address of the first. */
  async startCoordinator(): Promise<void> {
    const proc = this.#start('coordinator', 'cli/dibs.ts', [
      'coordinator',
      'start',
      '--listen',
      this.#address,
      '--redis-url',
      this.redis.url,
      '--data-dir',
      join(this.#folder, 'coordinator'),
      '--log-format',
      'json',
      ...(this.#options.coordinatorArgs ?? []),
    ]);
    this.#coordinator = proc;
    const { address } = await proc.said('serving');
    this.#address = address as string;
  }

  /** Resolves when it is connected. */
  async startAgent(name: string, args: readonly string[] = []): Promise<FleetAgent> {
    const stateDir = join(this.#folder, name);
    const proc = this.#start(name, 'cli/dibs-agent.ts', [
      'start',
      '--coordinator',
      this.#address,
      '--name',
      name,
      '--state-dir',
      stateDir,
      '--cache-dir',
      join(this.#folder, `${name}-cache`),
      '--types',
      'value.echo',
      '--executor',
      EXECUTORS,
      '--log-format',
      'json',
      ...args,
    ]);
    const { agentId } = await proc.said('agent is up');
    await proc.said('connected');
    return { proc, id: agentId as string, status: () => askAgent(controlPath(stateDir), 'status') };
  }

  async submit(workflow: WorkflowInput): Promise<FollowedWorkflow> {
    const submitted = await this.client.submit(workflow);
    return new FollowedWorkflow(this.client, submitted.workflow.id);
  }

  /** What executors say they did. */
  async journal(): Promise<Execution[]> {
    const text = await readFile(this.journalPath, 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [what, pid, atMs] = line.split(' ');
        return { what: what as Execution['what'], pid: Number(pid), atMs: Number(atMs) };
      });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  #start(name: string, entry: string, args: readonly string[]): LoggedProcess {
    const { logs } = this.#options;
    const proc = new LoggedProcess(name, entry, args, logs === undefined ? undefined : `${logs}${name}.log`);
    this.#processes.push(proc);
    return proc;
  }

  async #stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all(this.#processes.map((proc) => proc.kill()));
    await this.redis.stop();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
