/**
 * A whole Dibs on this machine: a private Redis, a coordinator and agents, each a process of its own.
 *
 * `dibs dev` and the demo run on it. Start: Redis, coordinator, agents. Stop: agents, so that they finish and hand in;
 * then the coordinator; Redis last. One crash takes nothing else down: the part is started again and the others
 * reconnect.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { durabilitySettings } from '../../runtime/redis/durability.ts';
import type { Durability } from '../../runtime/redis/durability.ts';
import { startEmbeddedRedis } from '../../runtime/redis/embedded.ts';
import type { EmbeddedRedis } from '../../runtime/redis/embedded.ts';
import type { DibsClient } from '../../sdk/client/index.ts';
import { pause } from './pause.ts';
import { Supervised } from './supervised.ts';

export interface AgentPlan {
  readonly name: string;
  /** Step types it offers, patterns allowed; "all" for all. */
  readonly types: string;
  /** `--label` values. */
  readonly labels?: readonly string[];
  /** Executor modules besides the built-in ones. */
  readonly executors?: readonly string[];
  readonly slots?: number;
}

export interface StackOptions {
  readonly dataDir: string;
  /** `host:port`; port 0 = a free one. */
  readonly listen: string;
  /** Instead of a private Redis. */
  readonly redisUrl?: string;
  readonly agents: readonly AgentPlan[];
  /** Further flags of the coordinator. */
  readonly coordinatorFlags?: readonly string[];
  /** What the private Redis is started for; default t1. */
  readonly durability?: Durability;
  readonly logLevel: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What the parts log, line by line. */
  readonly onLog: (source: string, line: string) => void;
  /** A part crashed and comes back, or (`fatal`) does not. */
  readonly onTrouble: (message: string, fatal: boolean) => void;
}

const KILL_GRACE_MS = 3_000;
const LOOK_MS = 50;
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const program = (name: string): string => fileURLToPath(new URL(`../${name}.${extension}`, import.meta.url));

export class Stack {
  readonly #o: StackOptions;
  #redis: EmbeddedRedis | undefined;
  #coordinator: Supervised | undefined;
  readonly #agents: Supervised[] = [];
  #address = '';
  /** The port of the first start is kept, so that everybody finds the next one there. */
  #listen: string;
  #stopping: Promise<void> | undefined;
  #redisUrl = '';

  constructor(options: StackOptions) {
    this.#o = options;
    this.#listen = options.listen;
  }

  /** host:port the coordinator is reached at from here; known after `start`. */
  get address(): string {
    return this.#address;
  }

  /** Resolves when the coordinator serves; agents may still be on their way. Rejects, with nothing left, when it cannot. */
  async start(signal: AbortSignal): Promise<void> {
    try {
      this.#redisUrl = this.#o.redisUrl ?? (await this.#startRedis());
      signal.throwIfAborted();
      await this.#startCoordinator(signal);
      for (const plan of this.#o.agents) this.#startAgent(plan);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** Resolves when every agent is connected. */
  async agentsConnected(client: DibsClient, signal: AbortSignal): Promise<void> {
    const wanted = new Set(this.#o.agents.map(({ name }) => name));
    for (;;) {
      const missing = new Set(wanted);
      for await (const { name, status } of client.agents({ signal }))
        if (status === 'connected') missing.delete(name);
      if (missing.size === 0) return;
      await pause(LOOK_MS, signal);
    }
  }

  /** Everything finishes what it does. */
  stop(): Promise<void> {
    this.#stopping ??= this.#end((part) => part.stop());
    return this.#stopping;
  }

  /** Everything ends within a few seconds; jobs under way go back to their queues. Also hurries a `stop` under way. */
  async kill(): Promise<void> {
    await this.#end((part) => part.kill(KILL_GRACE_MS));
  }

  async #end(end: (part: Supervised) => Promise<void>): Promise<void> {
    await Promise.all(this.#agents.map(end));
    if (this.#coordinator !== undefined) await end(this.#coordinator);
    await this.#redis?.stop();
  }

  async #startRedis(): Promise<string> {
    const folder = join(this.#o.dataDir, 'redis');
    this.#redis = await startEmbeddedRedis({
      folder,
      settings: durabilitySettings(this.#o.durability ?? 't1'),
      onExit: (reason) => this.#redisLost(reason),
    });
    return this.#redis.url;
  }

  #redisLost(reason: string): void {
    if (this.#stopping !== undefined) return;
    this.#o.onTrouble(`redis ended (${reason.split('\n').at(-1) ?? ''}); starting it again`, false);
    this.#startRedis().catch((error: Error) => this.#o.onTrouble(error.message, true));
  }

  async #startCoordinator(signal: AbortSignal): Promise<void> {
    const served = Promise.withResolvers<void>();
    const abort = (): void => served.reject(signal.reason);
    const coordinator = this.#supervise({
      name: 'coordinator',
      args: () => [
        program('dibs'),
        ...['coordinator', 'start', '--listen', this.#listen],
        ...['--redis-url', this.#redisUrl, '--data-dir', this.#o.dataDir],
        ...(this.#o.coordinatorFlags ?? []),
        ...['--log-format', 'short', '--log-level', this.#o.logLevel],
      ],
      onStdout: (line) => {
        const port = line.slice(line.lastIndexOf(':'));
        this.#listen = this.#o.listen.replace(/:\d+$/, port);
        // Whoever listens on all addresses is reached at this machine's own.
        this.#address = line.replace(/^(0\.0\.0\.0|\[::\]|::)?:\d+$/, `127.0.0.1${port}`);
        served.resolve();
      },
      onGivenUp: (why) => served.reject(new Error(`The coordinator did not start: ${why}.`)),
    });
    this.#coordinator = coordinator;
    coordinator.start();
    signal.addEventListener('abort', abort, { once: true });
    try {
      await served.promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #startAgent({ name, types, labels = [], executors = [], slots }: AgentPlan): void {
    const folder = join(this.#o.dataDir, 'agents', name);
    const agent = this.#supervise({
      name,
      args: () => [
        program('dibs-agent'),
        ...['start', '--coordinator', this.#address, '--name', name, '--types', types],
        ...['--state-dir', join(folder, 'state'), '--cache-dir', join(folder, 'cache')],
        ...labels.flatMap((label) => ['--label', label]),
        ...executors.flatMap((module) => ['--executor', module]),
        ...(slots === undefined ? [] : ['--slots', String(slots)]),
        ...['--log-format', 'short', '--log-level', this.#o.logLevel],
      ],
      onStdout: (line) => this.#o.onLog(name, line),
      onGivenUp: () => undefined,
    });
    this.#agents.push(agent);
    agent.start();
  }

  #supervise({
    name,
    args,
    onStdout,
    onGivenUp,
  }: {
    name: string;
    args: () => readonly string[];
    onStdout: (line: string) => void;
    onGivenUp: (why: string) => void;
  }): Supervised {
    const { onLog, onTrouble, env } = this.#o;
    return new Supervised({
      name,
      args,
      ...(env === undefined ? {} : { env }),
      onLine: (source, line, stream) => (stream === 'stdout' ? onStdout(line) : onLog(source, line)),
      onRestart: (source, why, waitMs) =>
        onTrouble(`${source} ended (${why}); starting it again in ${waitMs} ms`, false),
      onGivenUp: (source, why) => {
        onGivenUp(why);
        onTrouble(`${source} ended (${why}) and cannot be started again`, true);
      },
    });
  }
}
