/**
 * The fleet that all points share: a private Redis, coordinator A (the one that is killed), coordinator B, and two agents.
 *
 * Agent `a` reaches A and B through proxies of its own, so that it can be brought to A at the begin of a round; it goes
 * over to B by itself when A dies. Agent `b` knows B alone.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { makeCell } from '../../../coordinator/queue/keys.ts';
import type { Cell } from '../../../coordinator/queue/keys.ts';
import { cellTag } from '../../../coordinator/queue/slots.ts';
import { freePort } from '../../../runtime/free-port.ts';
import { startRedis } from '../../support/redis-server.ts';
import type { TestRedis } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';
import { startAgent, startCoordinator } from './members.ts';
import { endAll } from './process.ts';
import type { CrashProcess } from './process.ts';
import { Proxy } from './proxy.ts';

export const NAMESPACE = 'dibs';

/** Scaled times that both coordinators share. */
const TIMES = [
  ...['--heartbeat-interval', '250ms', '--lease', '1s', '--offer-lease', '500ms', '--max-recoveries', '50'],
  ...[
    '--sweep-interval',
    '100ms',
    '--sweep-slack',
    '600ms',
    '--poll-interval',
    '200ms',
    '--retry-backoff',
    '60ms',
    '--avoid',
    '50ms',
  ],
];
/** A looks more often, so that what falls due is met by the coordinator that may die of it. */
const LOOKS = {
  a: ['--due-interval', '30ms', '--undecided', '300ms'],
  b: ['--due-interval', '125ms', '--undecided', '20s'],
} as const;

export type CoordinatorName = keyof typeof LOOKS;

export class Fleet {
  readonly folder: string;
  readonly redis: Redis;
  readonly cell: Cell = makeCell(NAMESPACE, 0, cellTag(0, 1));
  readonly ports: Readonly<Record<CoordinatorName, number>>;
  /** Where coordinator A reports to. */
  readonly report: string;
  readonly #server: TestRedis;
  readonly #ways: Readonly<Record<CoordinatorName, Proxy>>;
  #a: CrashProcess | undefined;
  #agents: Readonly<Record<'a' | 'b', CrashProcess>> | undefined;

  private constructor(
    folder: string,
    server: TestRedis,
    ports: Readonly<Record<CoordinatorName, number>>,
    ways: Readonly<Record<CoordinatorName, Proxy>>,
  ) {
    this.folder = folder;
    this.report = join(folder, 'report');
    this.#server = server;
    this.redis = new Redis({ host: server.host, port: server.port });
    this.ports = ports;
    this.#ways = ways;
  }

  static async start(): Promise<Fleet> {
    const folder = await mkdtemp(join(tmpdir(), 'dibs-crash-'));
    const server = await startRedis();
    const ports = { a: await freePort(), b: await freePort() };
    const ways = { a: await Proxy.to(ports.a), b: await Proxy.to(ports.b) };
    const fleet = new Fleet(folder, server, ports, ways);
    try {
      const [a, b] = await Promise.all([fleet.startA(), fleet.#start('b').saying('serving')]);
      if (a.over || b === undefined) throw new Error('A coordinator did not start.');
      await fleet.#startAgents();
    } catch (error) {
      await fleet.stop();
      throw error;
    }
    return fleet;
  }

  get a(): CrashProcess {
    return this.#a as CrashProcess;
  }

  /** Address of a coordinator, without a proxy. */
  address(name: CoordinatorName): string {
    return `127.0.0.1:${this.ports[name]}`;
  }

  agent(name: 'a' | 'b'): CrashProcess {
    return this.#agents?.[name] as CrashProcess;
  }

  /** Starts coordinator A, armed or not; resolves when it serves, or has died of its point. */
  async startA(point = ''): Promise<CrashProcess> {
    this.#a = this.#start('a', { CRASH_REPORT: this.report, CRASH_POINT: point });
    await this.#a.saying('serving');
    return this.#a;
  }

  /** Agent `a` with a new session at A; returns as well when A has died. */
  async bringToA(): Promise<void> {
    const agent = this.agent('a');
    const { a, b } = this.#ways;
    const sessions = (): unknown[] =>
      agent.logged(({ msg }) => msg === 'connected').map(({ coordinator }) => coordinator);
    let seen = sessions().length;
    a.cut();
    b.cut();
    const isThere = (): boolean => {
      const all = sessions();
      if (this.a.over || (all.length > seen && all.at(-1) === a.address)) return true;
      // It takes its addresses in turn.
      if (all.length > seen) b.cut();
      seen = all.length;
      return false;
    };
    await until('agent a to come to A', isThere, { timeoutMs: 30_000 });
  }

  async stop(): Promise<void> {
    await endAll(this.folder);
    await Promise.all([this.#ways.a.close(), this.#ways.b.close()]);
    this.redis.disconnect();
    await this.#server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  #start(name: CoordinatorName, env: Readonly<Record<string, string>> = {}): CrashProcess {
    const { folder } = this;
    const plan = {
      address: this.address(name),
      redisUrl: this.#server.url,
      folder,
      flags: [...TIMES, ...LOOKS[name]],
    };
    return startCoordinator(plan, env);
  }

  async #startAgents(): Promise<void> {
    const { folder } = this;
    const { a, b } = this.#ways;
    this.#agents = {
      a: startAgent({ name: 'a', addresses: [a.address, b.address], folder }),
      b: startAgent({ name: 'b', addresses: [this.address('b')], folder }),
    };
    await Promise.all(
      Object.values(this.#agents).map(async (agent) => {
        if ((await agent.saying('connected')) === undefined)
          throw new Error(`An agent did not start:\n${agent.tail}`);
      }),
    );
  }
}
