/**
 * A coordinator: the parts put together. It holds no truth; kill any, add any.
 *
 * The way of a job through the parts: `grpc` (parse, call, format) → `workflow` (the pure engine decides, the shell
 * loads and commits) → `queue` (Lua) → `agents` (sessions, credits, claims) → back as fenced completions → `workflow` →
 * `events` (log, watch).
 */
import { agentService, artifactService, operatorService, workflowService } from '../proto/gen/load.ts';
import { assertListenAllowed, tokenCheck } from '../runtime/auth.ts';
import { sleep, systemClock } from '../runtime/clock.ts';
import { newId } from '../runtime/ids.ts';
import { Loop } from '../runtime/loop.ts';
import { stateName } from '../sdk/common/states.ts';
import { patiently } from '../runtime/redis/patience.ts';
import { Repeats } from '../runtime/repeats.ts';
import type { Service } from '../runtime/service.ts';
import { Classes } from './agents/classes.ts';
import { Claimer } from './agents/claimer.ts';
import { Completions } from './agents/completions.ts';
import { Controls } from './agents/controls.ts';
import { Costs } from './agents/costs.ts';
import { diagnoseDue } from './agents/diagnosis.ts';
import { Eligibility } from './agents/eligibility.ts';
import { Everyone } from './agents/everyone.ts';
import { Fleet } from './agents/fleet.ts';
import { Greeter } from './agents/greeter.ts';
import { Health } from './agents/health.ts';
import { Pauses } from './agents/pauses.ts';
import { Quarantine } from './agents/quarantine.ts';
import { Rates } from './agents/rates.ts';
import { artifactHandlers } from './artifacts/handlers.ts';
import { ArtifactStore } from './artifacts/store.ts';
import { listenAddress } from './config.ts';
import type { CoordinatorConfig } from './config.ts';
import { checkDurability, openConnections } from './connections.ts';
import { listenToBus, tellControls } from './events/bus.ts';
import { News } from './events/news.ts';
import { Board } from './forecast/board.ts';
import { unrunnableReason } from './forecast/explain.ts';
import { Forecasts } from './forecast/forecasts.ts';
import { Preloads } from './forecast/preloads.ts';
import { QueueBoard } from './forecast/queue-board.ts';
import { Tracker } from './forecast/tracker.ts';
import { WorkflowEta } from './forecast/workflow-eta.ts';
import { agentHandlers } from './grpc/agent-service.ts';
import { authenticator } from './grpc/caller.ts';
import { controlHandlers } from './grpc/control-handlers.ts';
import { explainHandlers } from './grpc/explain-service.ts';
import { operatorHandlers } from './grpc/operator-service.ts';
import { GrpcServer } from './grpc/server.ts';
import { workflowHandlers } from './grpc/workflow-service.ts';
import { CapKeeper } from './maintenance/caps.ts';
import { HttpServer } from './http/server.ts';
import type { HttpParts } from './http/server.ts';
import { Counters } from './metrics/counters.ts';
import { JobSamples } from './metrics/samples.ts';
import { Scrape } from './metrics/scrape.ts';
import { maintenance } from './maintenance/maintenance.ts';
import { JobProgress } from './progress/progress.ts';
import { openCells } from './queue/cells.ts';
import { keys, parseJobRef } from './queue/keys.ts';
import type { Cell } from './queue/keys.ts';
import { Reads } from './queue/reads.ts';
import { QueueStats } from './queue/stats.ts';
import { Store } from './queue/store.ts';
import { Tenants } from './tenants.ts';
import { completeTimes } from './times.ts';
import type { CoordinatorTimes } from './times.ts';
import { Intake } from './workflow/intake.ts';
import { PlanCache } from './workflow/plan-cache.ts';
import { Listing } from './workflow/listing.ts';
import { Reader } from './workflow/reader.ts';
import { Results } from './workflow/results.ts';
import { Shell } from './workflow/shell.ts';

const DEFAULT_NAMESPACE = 'dibs';
/** Time calls under way get when the coordinator stops, milliseconds. */
const STOP_GRACE_MS = 2000;
/** Redis that takes longer to answer counts as down for who asks over HTTP, milliseconds. */
const PING_MS = 2000;
/** Time agents get to go elsewhere by themselves, milliseconds. */
const LEAVE_GRACE_MS = 500;
/** Pause between two looks at which models agents should fetch, milliseconds. */
const PRELOADS_MS = 5000;
/** Pause between two looks at watched jobs, milliseconds. */
const POSITIONS_MS = 500;
/** Pause of the slow check for ends whose news was lost, milliseconds. */
const SLOW_CHECK_MS = 5000;

export interface Coordinator extends Service {
  readonly id: string;
  /** host:port it listens on; known after start. */
  readonly address: string;
  /** host:port of metrics and checks; '' where they are not served. */
  readonly httpAddress: string;
}

/** Connects, listens and serves on `start`; `stop` drains. */
export function createCoordinator(config: CoordinatorConfig): Coordinator {
  const { host } = listenAddress(config);
  assertListenAllowed(host, config.tokens?.[0]);
  if (config.http !== undefined) assertListenAllowed(config.http.host, config.tokens?.[0]);
  return new RunningCoordinator(config);
}

class RunningCoordinator implements Coordinator {
  readonly name = 'coordinator';
  readonly id = newId('coord');
  address = '';
  httpAddress = '';
  readonly #config: CoordinatorConfig;
  readonly #times: CoordinatorTimes;
  /** What to undo, newest first. */
  readonly #undo: (() => Promise<void> | void)[] = [];
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(config: CoordinatorConfig) {
    this.#config = config;
    this.#times = completeTimes(config.times);
    checkDurability(config);
  }

  start(): Promise<void> {
    this.#starting ??= this.#start().catch(async (error: unknown) => {
      await this.stop();
      throw error;
    });
    return this.#starting;
  }

  stop(): Promise<void> {
    this.#stopping ??= (async () => {
      for (const undo of this.#undo.toReversed()) await undo();
    })();
    return this.#stopping;
  }

  async #start(): Promise<void> {
    const { log, dataDir, tokens, namespace = DEFAULT_NAMESPACE } = this.#config;
    const { redis, target, answering, subscriber, masters } = await openConnections(this.#config, (undo) =>
      this.#undo.push(undo),
    );
    const cells = await patiently(() =>
      openCells(redis, { namespace, count: this.#config.cells ?? 0, masters }),
    );
    const times = this.#times;
    const tenants = new Tenants(this.#config.tenants ?? []);
    // An even share for each cell.
    const caps = new Map([...tenants.caps].map(([name, cap]) => [name, Math.ceil(cap / cells.length)]));
    const rates = new Rates(redis, (type) => keys.rate(namespace, type), this.#config.rates ?? new Map());
    const now = (): number => systemClock.now();
    const repeats = new Repeats({
      now: () => systemClock.monotonic(),
      tell: (error, times) => log.error({ err: error, times }, 'background work failed'),
    });
    const onError = (error: unknown): void => repeats.note(error);

    const clock = { now: () => systemClock.monotonic(), sleep: (ms: number) => sleep(systemClock, ms) };
    const counters = new Counters();
    const store = new Store({
      redis,
      ...(answering === undefined ? {} : { answering }),
      cells,
      origin: this.id,
      clock,
      leaseMs: times.leaseMs,
      offerMs: times.offerMs,
      avoidMs: times.avoidMs,
      caps: [...caps].flat(),
      onTimed: (script, ms) => counters.commands.of(script).observe(ms / 1000),
    });
    const reads = new Reads(redis);
    const classes = new Classes(redis, namespace, cells);
    await patiently(() => Promise.all([classes.refresh(), classes.refreshTypes()]));
    const costs = new Costs((type) => classes.formulaOf(type));
    const plans = new PlanCache();
    const shell = new Shell({
      plans,
      cost: (type, inputJson) => costs.ofText(type, inputJson),
      store,
      reads,
      random: Math.random,
      backoff: { baseMs: times.retryBackoffMs, maxMs: times.retryBackoffMaxMs },
      onError: (error, wid) => log.error({ err: error, workflowId: `wf_${wid}` }, 'a decision failed'),
    });
    const health = new Health();
    const fleet = new Fleet({
      redis,
      namespace,
      coordinatorId: this.id,
      heartbeatMs: times.heartbeatMs,
      resultsOf: (agentId) => health.told(agentId),
      now,
      onError,
    });
    const onWord = (): void => void tellControls(redis, cells, this.id).catch(onError);
    const pauses = new Pauses({ redis, namespace, now, onWord });
    const quarantine = new Quarantine({
      redis,
      namespace,
      health,
      times,
      now,
      log,
      hasOthers: (type, agentId) =>
        eligible.agents.some(
          ({ id, profile }) =>
            id !== agentId &&
            profile.types.has(type) &&
            pauses.ofAgent(id) === undefined &&
            quarantine.sentenceOf(id) === undefined,
        ),
      onRoom: () => kickAll(),
      onWord,
      onError,
    });
    const controls = new Controls({
      pauses,
      quarantine,
      health,
      sessions: () => fleet.sessions(),
      findAgent: (agentId) => fleet.find(agentId),
      now,
      onRoom: () => wakeAll(),
      onError,
    });
    const lookAround = async (): Promise<void> => {
      await eligible.refresh();
      controls.learn(eligible.agents);
      await controls.refresh();
    };
    const eligible: Eligibility = new Eligibility(fleet, classes, {
      isOpen: (agentId) => controls.isOpen(agentId),
      isShutOut: (agentId) => quarantine.standingOf(agentId) === 'quarantined',
    });
    const everyone = new Everyone(fleet, controls);
    const monotonic = (): number => systemClock.monotonic();
    const forecasts = new Forecasts({
      redis,
      cells,
      classes,
      reads,
      fleet: everyone,
      weightOf: (tenant) => tenants.weightOf(tenant),
      monotonic,
      onError,
    });
    const progress = new JobProgress({
      memberOf: (id) => everyone.memberOf(id),
      needOf: (queue) => classes.needs.get(queue),
      now,
    });
    const board = new Board({ forecasts, reads, progress, monotonic });
    const preloads = new Preloads({ forecasts, sessions: () => fleet.sessions() });
    const tracker = new Tracker({ redis, cells, reads, forecasts, random: Math.random });
    const reader = new Reader({
      store,
      reads,
      forecasts,
      progress,
      eta: new WorkflowEta({ store, reads, forecasts, progress }),
      isRunnable: (queue) => eligible.isRunnable(queue),
      unrunnableReason: (queue) => {
        const need = classes.needs.get(queue);
        return need === undefined ? '' : unrunnableReason(need, everyone.members());
      },
    });
    const results = new Results({ store, reader, now, onError });
    const news = new News();
    const intake = new Intake({
      store,
      reads,
      classes,
      plans,
      costOf: (type, input) => costs.of(type, input),
      weightOf: (tenant) => tenants.weightOf(tenant),
      maxBandOf: (tenant) => tenants.maxBandOf(tenant),
      onMore: (wid) => void shell.settle(wid),
    });
    const listing = new Listing({ store, reader, now });
    const stats = new QueueStats({ redis, cells, classes, reads, now });
    const queues = new QueueBoard({
      stats,
      forecasts,
      classes,
      everyone,
      pauseOf: (queue, type) => pauses.ofQueue(queue, type),
    });

    const claimers = cells.map(
      (cell) =>
        new Claimer({
          cell,
          store,
          reads,
          plans,
          claimants: () => fleet.groups,
          rates,
          hasOthers: (queue, agentId) => eligible.hasOthers(queue, agentId),
          onClaimed: (wanted, granted) => counters.claimed(wanted, granted),
          isPaused: (queue, type) => pauses.ofQueue(queue, type) !== undefined,
          onShort: (short) => claimers.forEach((other, index) => index !== short.index && other.kick()),
          onTouched: (wid) => news.tell(wid),
          onError,
        }),
    );
    const claimerOf = (cell: Cell): Claimer => claimers[cell.index] as Claimer;
    // Each time another cell is first: an agent's credit goes to whichever asks first.
    let turn = 0;
    const kickAll = (): void => {
      turn++;
      for (let i = 0; i < claimers.length; i++) claimers[(i + turn) % claimers.length]?.kick();
    };
    const wakeAll = (): void => claimers.forEach((claimer) => claimer.wake());

    store.onQueued = (jobs) => {
      counters.jobsSubmitted += jobs;
    };
    store.onTouched = (wid) => news.tell(wid);
    store.onTold = (told) => fleet.tell(told);
    store.onGrown = (cell, grown) => claimerOf(cell).wake(grown);
    store.onStored = (cell, stored) => claimerOf(cell).wakeDry(stored);

    const samples = new JobSamples({ cells, reads, counters, monotonic, onError });
    const completions = new Completions({
      store,
      shell,
      onHeard: (heard) => quarantine.heard(heard),
      onStored: ({ ref, plan, step }, state, reason) => {
        counters.jobFinished(stateName(state), reason);
        const type = plan?.steps[step]?.type;
        if (type !== undefined) samples.ended(ref, type);
      },
      onEnded: (wid, state, job, output) => results.ended(wid, state, job, output),
    });
    const greeter = new Greeter({
      coordinatorId: this.id,
      store,
      classes,
      fleet,
      completions,
      controls,
      planOf: async (wid) => {
        const known = plans.find(wid);
        if (known !== undefined) return known;
        const found = await reads.headAndPlan(store.cellOf(wid), wid);
        return found === undefined ? undefined : plans.get(wid, found.plan);
      },
      times,
      now,
      onCredit: kickAll,
      onHandedBack: (reason) => counters.claimSkipped(reason),
      onError,
    });
    shell.onEnded = (wid) => results.check(wid);

    const look = (wid: string): void => {
      news.tell(wid);
      results.check(wid);
    };
    await listenToBus(subscriber, cells, this.id, {
      onWorkflows: (wids) => wids.forEach(look),
      onWake: (cell, names) => claimerOf(cell).wake(names),
      onTold: (told) => fleet.tell(told),
      onClasses: () => void classes.refresh().then(wakeAll, onError),
      onControls: () => void controls.refresh().catch(onError),
      onGap: () => {
        news.tellAll();
        wakeAll();
      },
    });

    const capKeeper = new CapKeeper({
      redis,
      cells,
      store,
      caps,
      onBack: (cell) => claimerOf(cell).wake(),
    });
    await patiently(() => capKeeper.begin());

    const loops: Service[] = [
      ...maintenance({
        redis,
        target,
        namespace,
        cells,
        store,
        shell,
        times,
        log,
        diagnose: (cell) => diagnoseDue({ store, reads, fleet, leaseMs: times.leaseMs, now }, cell),
        onStalled: (ref, recovered) => {
          counters.jobStalled(recovered);
          const { wid, step } = parseJobRef(ref);
          const queue = plans.find(wid)?.steps[step]?.queue;
          if (queue !== undefined) queues.stalled(queue);
        },
        onRequeued: (at) => claimerOf(at).wake(),
        onError,
      }),
      new Loop({
        name: 'poll',
        intervalMs: times.pollMs,
        onError,
        run: async () => {
          await Promise.all([classes.refresh(), classes.refreshTypes()]);
          await lookAround();
          wakeAll();
          await news.tellSome();
        },
      }),
      new Loop({
        name: 'positions',
        intervalMs: POSITIONS_MS,
        onError,
        run: () => board.run(),
      }),
      new Loop({ name: 'caps', intervalMs: times.pollMs, onError, run: () => capKeeper.run() }),
      new Loop({ name: 'queues', intervalMs: times.pollMs, onError, run: () => queues.run() }),
      new Loop({ name: 'preloads', intervalMs: PRELOADS_MS, onError, run: () => preloads.run() }),
      new Loop({ name: 'forecasts', intervalMs: times.pollMs, onError, run: () => tracker.run() }),
      new Loop({
        name: 'slow check',
        intervalMs: SLOW_CHECK_MS,
        onError,
        run: () => results.checkOlderThan(SLOW_CHECK_MS, 2000),
      }),
    ];

    await patiently(lookAround);
    const artifacts = new ArtifactStore({ folder: `${dataDir}/artifacts` });
    const authenticate = authenticator(
      tokens === undefined || tokens.length === 0 ? undefined : tokenCheck(...tokens),
      tenants,
    );
    const leaving = new AbortController();
    const frame = { authenticate, log, leaving: leaving.signal, slowReaderMs: times.slowReaderMs };
    const server = new GrpcServer((grpc) => {
      grpc.addService(
        workflowService,
        workflowHandlers({ frame, store, reads, intake, reader, listing, results, shell, news, board }),
      );
      grpc.addService(agentService, agentHandlers({ frame, greeter }));
      grpc.addService(operatorService, {
        ...operatorHandlers({ frame, fleet, queues, controls }),
        ...explainHandlers({
          frame,
          store,
          reads,
          classes,
          fleet: everyone,
          forecasts,
          holdsOf: (queue, type) => holdsOf(queue, type, pauses, rates),
        }),
        ...controlHandlers({ frame, fleet, controls, classes, store, reads }),
      });
      grpc.addService(artifactService, artifactHandlers({ frame, store: artifacts }));
    });
    const address = listenAddress(this.#config);
    const port = await server.listen(address);
    this.address = `${address.host}:${port}`;
    this.#undo.push(() => server.stop(STOP_GRACE_MS));
    let draining = false;
    const isRedisUp = (): Promise<boolean> => {
      const up = redis.ping().then(
        () => true,
        () => false,
      );
      return Promise.race([up, sleep(systemClock, PING_MS).then(() => false)]);
    };
    await this.#serveHttp({
      metrics: new Scrape({
        counters,
        queues: () => queues.list(),
        agents: async () =>
          (await fleet.list()).map((record) => ({
            ...record,
            state: controls.stateOf(record).state,
            held: fleet.memberOf(record.id)?.held ?? record.held,
          })),
        isRedisUp,
        settle: () => samples.settle(),
        watchStreams: () => news.size + board.listening + queues.listening,
        now,
        monotonic,
        onError,
      }),
      notReady: async () => {
        if (draining) return 'leaving';
        return (await isRedisUp()) ? undefined : 'Redis does not answer';
      },
      mayRead: tokenChecker(tokens, tenants),
      onError,
    });
    for (const loop of loops) await loop.start();
    this.#undo.push(
      () => Promise.all(loops.map((loop) => loop.stop())).then(() => {}),
      async () => {
        draining = true;
        for (const claimer of claimers) claimer.stop();
        greeter.drain();
        await until(() => fleet.size === 0, LEAVE_GRACE_MS);
        greeter.endAll();
        leaving.abort();
      },
    );
    const about = { coordinatorId: this.id, address: this.address, cells: cells.length };
    log.info(this.httpAddress === '' ? about : { ...about, http: this.httpAddress }, 'serving');
  }

  async #serveHttp(parts: HttpParts): Promise<void> {
    const { http } = this.#config;
    if (http === undefined) return;
    const server = new HttpServer(parts);
    const host = http.host.includes(':') ? `[${http.host}]` : http.host;
    this.httpAddress = `${host}:${await server.listen(http)}`;
    this.#undo.push(() => server.stop());
  }
}

/** Whether a token is one of these, or a tenant's own; where there are none, whoever asks. */
function tokenChecker(
  tokens: readonly string[] = [],
  tenants: Tenants,
): (token: string | undefined) => boolean {
  if (tokens.length === 0 && !tenants.haveTokens) return () => true;
  const check = tokenCheck(...tokens);
  return (token) => check(token) || tenants.ownerOf(token) !== undefined;
}

/** Looks every few milliseconds until something is true, or the time is over. */
async function until(isTrue: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = systemClock.monotonic() + timeoutMs;
  while (!isTrue() && systemClock.monotonic() < deadline) await sleep(systemClock, 10);
}

/** What keeps the jobs of a queue from being asked for, in words. */
function holdsOf(queue: string, type: string, pauses: Pauses, rates: Rates): string[] {
  const pause = pauses.ofQueue(queue, type);
  const rate = rates.told(type);
  return [
    ...(pause === undefined
      ? []
      : [`the queue is paused by ${pause.by}${pause.note === '' ? '' : `: ${pause.note}`}`]),
    ...(rate === undefined ? [] : [rate]),
  ];
}
