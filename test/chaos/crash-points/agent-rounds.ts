/**
 * The points of an agent: what it writes into its state directory, each run with an agent of its own.
 *
 * A round: an armed agent runs one job while its coordinator does not hear it, so that the result goes to its disk; it is
 * heard again, the result is acknowledged and taken off the disk, and the agent leaves. Wherever it dies, it is started
 * again unarmed, as a supervisor does. It begins either on nothing or on what a killed agent and a full disk left.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { makeCell, parseWorkflowId } from '../../../coordinator/queue/keys.ts';
import { cellTag } from '../../../coordinator/queue/slots.ts';
import { freePort } from '../../../runtime/free-port.ts';
import { createClient } from '../../../sdk/client/index.ts';
import type { DibsClient } from '../../../sdk/client/index.ts';
import { startRedis } from '../../support/redis-server.ts';
import type { TestRedis } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';
import { checkWorkflows } from './check.ts';
import type { Place } from './check.ts';
import type { Outcome } from './coordinator-rounds.ts';
import { NAMESPACE } from './fleet.ts';
import { leftovers } from './leftovers.ts';
import { startAgent, startCoordinator, stateDir } from './members.ts';
import { pointName, pointsOf } from './points.ts';
import type { CrashPoint } from './points.ts';
import type { CrashProcess } from './process.ts';
import { Proxy } from './proxy.ts';
import { readReport } from './report.ts';
import type { Acked } from './workload.ts';

/**
 * The lease outlives the start of a process on a busy machine: a result that was on disk is then delivered by the next
 * process and not made again.
 */
const TIMES = [
  ...[
    '--heartbeat-interval',
    '500ms',
    '--lease',
    '10s',
    '--offer-lease',
    '4s',
    '--sweep-interval',
    '200ms',
    '--sweep-slack',
    '5s',
  ],
  ...['--max-recoveries', '50', '--due-interval', '50ms', '--poll-interval', '200ms'],
];

type Ground = 'nothing' | 'leftovers';

/** From this write on the result is safe. */
const SPOOLED = 'rename spool/*.json.part';
const WAIT_MS = 40_000;

export class AgentRounds {
  readonly #folder: string;
  readonly #server: TestRedis;
  readonly #redis: Redis;
  readonly #port: number;
  readonly #client: DibsClient;
  readonly #known = new Set<string>();
  /** What each kind was seen on. */
  readonly #grounds = new Map<string, Ground>();
  #count = 0;

  private constructor(folder: string, server: TestRedis, port: number) {
    this.#folder = folder;
    this.#server = server;
    this.#port = port;
    this.#redis = new Redis({ host: server.host, port: server.port });
    this.#client = createClient({ address: this.#address });
  }

  static async start(folder: string): Promise<AgentRounds> {
    const rounds = new AgentRounds(folder, await startRedis(), await freePort());
    const plan = { address: rounds.#address, redisUrl: rounds.#server.url, folder, flags: TIMES };
    if ((await startCoordinator(plan).saying('serving')) === undefined) throw new Error('No coordinator.');
    return rounds;
  }

  /** What the rounds have left together. */
  async finish(): Promise<string[]> {
    const { redis, cell } = this.#place;
    return leftovers(redis, cell, this.#known);
  }

  get #place(): Place {
    return { redis: this.#redis, cell: makeCell(NAMESPACE, 0, cellTag(0, 1)), address: this.#address };
  }

  get #address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** The kinds of writes of a life without a crash, on each ground; `short`: on one. */
  async record(short: boolean): Promise<{ kinds: ReadonlySet<string>; problems: string[] }> {
    const problems: string[] = [];
    const grounds: readonly Ground[] = short ? ['nothing'] : ['nothing', 'leftovers'];
    const rounds = await Promise.all(grounds.map((ground) => this.#round(ground, undefined)));
    for (const [index, { seen, problems: found }] of rounds.entries()) {
      problems.push(...found);
      for (const kind of seen)
        if (!this.#grounds.has(kind)) this.#grounds.set(kind, grounds[index] as Ground);
    }
    return { kinds: new Set(this.#grounds.keys()), problems };
  }

  async run(point: CrashPoint): Promise<Outcome> {
    const begin = performance.now();
    const { problems, died } = await this.#round(this.#grounds.get(point.kind) ?? 'nothing', point);
    const reached = died.length === 1 && died[0] === pointName(point);
    return {
      point: `agent: ${pointName(point)}`,
      reached,
      tries: 1,
      problems,
      wallMs: performance.now() - begin,
    };
  }

  async stop(): Promise<void> {
    this.#client.close();
    this.#redis.disconnect();
    await this.#server.stop();
  }

  async #round(ground: Ground, point: CrashPoint | undefined) {
    const number = ++this.#count;
    const name = `agent-${number}`;
    const report = join(this.#folder, `report-${name}`);
    const way = await Proxy.to(this.#port);
    const life = new Life(name, this.#folder, way, report, point);
    const problems: string[] = [];
    try {
      if (ground === 'leftovers') await leaveThings(stateDir(this.#folder, name));
      const file = join(this.#folder, `ran-${name}`);
      await life.start();
      const acked = await this.#submit(number, name, file);
      await until('the job to run', () => linesOf(file), { timeoutMs: WAIT_MS });
      way.deafen();
      await until('its result to be on disk', () => life.restarted || life.hasSpooled(), {
        timeoutMs: WAIT_MS,
      });
      // What a dead agent has said and nobody has heard is lost with it.
      if (life.restarted) way.cut();
      way.hear();
      await this.#client.wait(acked.id, { timeoutMs: WAIT_MS });
      await until('the spool to be empty', async () => !(await life.hasSpooled()), { timeoutMs: WAIT_MS });
      await life.leave();
      problems.push(
        ...(await this.#check(acked, file, point)),
        ...(await leftBehind(stateDir(this.#folder, name), ground)),
      );
    } catch (error) {
      problems.push(`${(error as Error).message}\n${life.tail}`);
    } finally {
      await life.end();
      await way.close();
    }
    const { seen, died } = readReport(report);
    return { seen, died, problems };
  }

  async #submit(n: number, side: string, file: string): Promise<Acked> {
    const requestId = `agent-${n}`;
    const input = {
      steps: [
        { type: 'crash.once', name: 's', input: { n, file, ms: 300 }, requirement: { labels: { side } } },
      ],
      allowUnknownTypes: true,
    };
    const { workflow } = await this.#client.submit(input, { requestId });
    this.#known.add(parseWorkflowId(workflow.id) as string);
    const outputs = { s: n };
    return {
      name: side,
      id: workflow.id,
      requestId,
      input,
      status: 'succeeded',
      outputs,
      watched: undefined,
    };
  }

  async #check(acked: Acked, file: string, point: CrashPoint | undefined): Promise<string[]> {
    const problems = await checkWorkflows(this.#place, [acked]);
    const ran = await linesOf(file);
    const kept =
      point === undefined ||
      (point.kind === SPOOLED && point.moment === 'after') ||
      /^rm spool.*json$/.test(point.kind);
    if (kept && ran !== 1) problems.push(`its result was on disk, and the job ran ${ran} times`);
    return problems;
  }
}

/** An agent over its processes. */
class Life {
  readonly #name: string;
  readonly #folder: string;
  readonly #way: Proxy;
  readonly #report: string;
  readonly #point: string;
  #process: CrashProcess | undefined;
  #watching: Promise<void> = Promise.resolve();
  #leaving = false;
  restarted = false;

  constructor(name: string, folder: string, way: Proxy, report: string, point: CrashPoint | undefined) {
    this.#name = name;
    this.#folder = folder;
    this.#way = way;
    this.#report = report;
    this.#point = point === undefined ? '' : pointName(point);
  }

  get tail(): string {
    return this.#process?.tail ?? '';
  }

  /** Resolves when some process of it is connected. */
  async start(): Promise<void> {
    await this.#begin(this.#point);
  }

  async hasSpooled(): Promise<boolean> {
    const names = await readdir(join(stateDir(this.#folder, this.#name), 'spool')).catch(() => []);
    return names.some((name) => name.endsWith('.json'));
  }

  /** SIGTERM; ends well, if not at once then on a second try: it may die of its point on the way out. */
  async leave(): Promise<void> {
    for (const last of [this.restarted || this.#point === '', true]) {
      await this.#connected();
      this.#leaving = true;
      this.#process?.signal('SIGTERM');
      await this.#watching;
      const code = this.#process?.exitCode;
      if (code === 0) return;
      if (last) throw new Error(`The agent ended with ${code}, not with 0.`);
      await this.#begin('');
    }
  }

  async end(): Promise<void> {
    this.#leaving = true;
    await this.#process?.kill();
    await this.#watching;
  }

  async #begin(point: string): Promise<void> {
    this.#leaving = false;
    this.#process = this.#spawn(point);
    this.#watching = this.#supervise();
    await this.#connected();
  }

  /** Some process of it is, or was until it died of its point. */
  async #connected(): Promise<void> {
    const connected = (): boolean =>
      (this.#process?.logged(({ msg }) => msg === 'connected').length ?? 0) > 0;
    await until('the agent to be connected', connected, { timeoutMs: WAIT_MS });
  }

  /** Starts it again whenever it ends. */
  async #supervise(): Promise<void> {
    for (;;) {
      await this.#process?.ended;
      if (this.#leaving) return;
      this.restarted = true;
      this.#process = this.#spawn('');
    }
  }

  #spawn(point: string): CrashProcess {
    const plan = { name: this.#name, addresses: [this.#way.address], folder: this.#folder };
    return startAgent(plan, { CRASH_REPORT: this.#report, CRASH_POINT: point });
  }
}

async function linesOf(file: string): Promise<number> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').length - 1;
}

/** What an agent leaves that was killed while it wrote, on a disk that lost a part of a file. */
async function leaveThings(state: string): Promise<void> {
  await mkdir(join(state, 'spool'), { recursive: true });
  await writeFile(join(state, 'agent.lock'), `999999999 ${randomUUID()}\n`);
  await writeFile(join(state, 'status.json.part'), '{"pid":');
  await writeFile(join(state, 'spool', `${'a'.repeat(32)}.json.part`), '{"jobId":"job_');
  await writeFile(join(state, 'spool', `${'b'.repeat(32)}.json`), '{"jobId":"job_');
}

/** What an agent that has left in good order must not leave. */
async function leftBehind(state: string, ground: Ground): Promise<string[]> {
  const names = await readdir(state, { recursive: true });
  const bad = names.filter((name) => name.endsWith('.bad')).length;
  const planted = ground === 'leftovers' ? 1 : 0;
  return [
    ...names.filter((name) => /\.part$|lock|takeover|sock/.test(name)).map((name) => `it left ${name}`),
    ...(bad === planted ? [] : [`${bad} results were set aside as unreadable, not ${planted}`]),
  ];
}

export function agentPoints(kinds: Iterable<string>): CrashPoint[] {
  return pointsOf(kinds, (kind) =>
    kind.startsWith('writeFile') ? ['before', 'torn', 'after'] : ['before', 'after'],
  );
}
