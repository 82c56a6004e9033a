/**
 * A whole system of real processes: Redis, coordinators, agents, and the proxies between them.
 *
 * 1. Every server keeps its port, every agent its state folder, over restarts. All files lie in one folder.
 * 2. A process that ends by itself is a finding, with the end of its log.
 * 3. `stop` leaves no process behind; if the harness cannot call it, the reaper and the guard of Redis do its work.
 */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { startRedisCluster } from '../../support/redis-cluster.ts';
import type { TestCluster } from '../../support/redis-cluster.ts';
import { CLOCK_ARGS, clockEnvironment } from './clock-jump.ts';
import { Links } from './links.ts';
import { Member } from './member.ts';
import type { MemberKind, MemberOptions } from './member.ts';
import { Network } from './netns.ts';
import { steadyPort } from './ports.ts';
import { endReaper } from './reaper.ts';
import { RedisMember } from './redis-member.ts';
import type { Durability } from './redis-member.ts';
import { timeFlags } from './times.ts';
import type { Times } from './times.ts';

export interface AgentSpec {
  readonly name: string;
  /** After `dibs-agent start`: --executor, --types, --slots. */
  readonly args: readonly string[];
}

export interface FleetOptions {
  /** Tree whose cli/dibs.ts and cli/dibs-agent.ts are run; default this one. */
  readonly root?: string;
  readonly folder: string;
  readonly coordinators: number;
  readonly agents: readonly AgentSpec[];
  readonly durability: Durability;
  /** A Cluster can be neither proxied nor killed here. */
  readonly redis: 'single' | 'cluster';
  readonly times: Times;
  readonly proxied: boolean;
  /** Agents in network namespaces of their own; with `proxied`, and where `notPermitted` of netns.ts has no objection. */
  readonly netns?: boolean;
  /** Further flags of node for every member. */
  readonly nodeArgs?: readonly string[];
}

/** Names a fault can have as its target. */
export type FleetNames = Readonly<Record<MemberKind | 'link', readonly string[]>>;

const ROOT = resolve(import.meta.dirname, '../../..');

export class Fleet {
  readonly coordinators: Member[] = [];
  readonly agents: Member[] = [];
  readonly consumers: Member[] = [];
  readonly links = new Links();
  /** What clients dial: one address a coordinator. */
  readonly addresses: string[] = [];
  readonly findings: string[] = [];
  /** No member can be started any more. */
  stopping = false;
  readonly options: FleetOptions;
  readonly #root: string;
  #redis: RedisMember | undefined;
  #cluster: TestCluster | undefined;
  #network: Network | undefined;

  constructor(options: FleetOptions) {
    this.options = options;
    this.#root = resolve(options.root ?? ROOT);
  }

  /** Resolves when all are ready and the agents connected; stops what it has started when one is not. */
  async start(): Promise<void> {
    try {
      await mkdir(this.options.folder, { recursive: true });
      await this.#startRedis();
      if (this.options.netns === true) this.#network = await Network.start();
      const ports: number[] = [];
      for (let index = 1; index <= this.options.coordinators; index += 1) {
        const port = await steadyPort();
        ports.push(port);
        this.coordinators.push(await this.#coordinator(`coordinator-${index}`, port));
        this.addresses.push(await this.#way(`clients>coordinator-${index}`, port));
      }
      for (const spec of this.options.agents) this.agents.push(await this.#agent(spec, ports));
      await Promise.all(this.coordinators.map((member) => member.start()));
      await Promise.all(this.agents.map((member) => member.start()));
      // Later it may start without a coordinator; a fleet begins whole.
      await Promise.all(this.agents.map((member) => member.said(/"msg":"connected"/)));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Redis where it is one server. */
  get redis(): RedisMember {
    if (this.#redis === undefined) throw new Error('This fleet has no single Redis.');
    return this.#redis;
  }

  /** Direct, not through a proxy. */
  get redisUrl(): string {
    return this.#cluster?.url ?? this.redis.url;
  }

  members(): Member[] {
    const redis = this.#redis === undefined ? [] : [this.#redis];
    return [...redis, ...this.coordinators, ...this.agents, ...this.consumers];
  }

  names(): FleetNames {
    const of = (members: readonly Member[]): string[] => members.map(({ name }) => name);
    return {
      redis: this.#redis === undefined ? [] : ['redis'],
      coordinator: of(this.coordinators),
      agent: of(this.agents),
      consumer: of(this.consumers),
      link: this.links.names(),
    };
  }

  /** Adds a program of the harness, not started yet; `args` begin with its path. */
  addConsumer(name: string, args: readonly string[], more: Partial<MemberOptions> = {}): Member {
    const member = this.#member({ name, kind: 'consumer', args, ...more });
    this.consumers.push(member);
    return member;
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.stopping = true;
    const stopAll = async (members: readonly Member[]): Promise<void> =>
      void (await Promise.all(members.map((member) => member.stop())));
    // An agent hands back what it holds while there is somebody to take it.
    await stopAll([...this.consumers, ...this.agents]);
    await stopAll(this.coordinators);
    await this.links.stop();
    await this.#network?.stop();
    await this.#redis?.stop();
    await this.#cluster?.stop();
    await endReaper();
  }

  async #startRedis(): Promise<void> {
    const { folder, durability, redis } = this.options;
    if (redis === 'cluster') {
      this.#cluster = await startRedisCluster();
      return;
    }
    this.#redis = new RedisMember({
      folder: join(folder, 'redis'),
      port: await steadyPort(),
      durability,
      onUnexpectedExit: (what) => void this.findings.push(what),
    });
    await this.#redis.start();
  }

  async #coordinator(name: string, port: number): Promise<Member> {
    const { folder, times } = this.options;
    const redisUrl =
      this.#redis === undefined
        ? this.redisUrl
        : `redis://${await this.#way(`${name}>redis`, this.#redis.port)}`;
    const args = [
      join(this.#root, 'cli/dibs.ts'),
      ...['coordinator', 'start', '--log-format', 'json'],
      ...['--listen', `127.0.0.1:${port}`, '--redis-url', redisUrl],
      // Coordinators of one key space share their artifacts.
      ...['--data-dir', join(folder, 'data')],
      ...timeFlags(times),
    ];
    return this.#member({ name, kind: 'coordinator', args, ready: /^127\.0\.0\.1:\d+$/m });
  }

  async #agent({ name, args }: AgentSpec, ports: readonly number[]): Promise<Member> {
    const { folder } = this.options;
    const addresses: string[] = [];
    const link = `${name}>coordinators`;
    const host = this.#network?.address;
    for (const port of ports) addresses.push(await this.#way(link, port, host));
    const wire = await this.#network?.join();
    if (wire !== undefined) this.links.wire(link, wire);
    const all = [
      join(this.#root, 'cli/dibs-agent.ts'),
      ...['start', '--log-format', 'json', '--name', name, '--coordinator', addresses.join(',')],
      ...['--state-dir', join(folder, name, 'state'), '--cache-dir', join(folder, name, 'cache')],
      ...args,
    ];
    return this.#member({
      name,
      kind: 'agent',
      args: all,
      ready: /"msg":"agent is up"/,
      ...(wire === undefined ? {} : { enter: wire.enter }),
    });
  }

  /** Address that leads to `port`. */
  async #way(link: string, port: number, host = '127.0.0.1'): Promise<string> {
    return `${host}:${this.options.proxied ? await this.links.open(link, port, host) : port}`;
  }

  #member(options: Omit<MemberOptions, 'logFile'> & { readonly logFile?: string }): Member {
    const { logFile = join(this.options.folder, 'logs', `${options.name}.log`) } = options;
    return new Member({
      cwd: this.#root,
      onUnexpectedExit: (what) => void this.findings.push(what),
      ...options,
      logFile,
      env: { ...clockEnvironment(logFile), ...options.env },
      args: [...CLOCK_ARGS, ...(this.options.nodeArgs ?? []), ...options.args],
    });
  }
}
