/**
 * The agent, put together: each part is a folder, this file only wires them. `createAgent(...)` gives a service.
 *
 * 1. `start` resolves when the agent is up (lock, identity, hardware, executors), connected or not; when it rejects,
 *    nothing is left behind.
 * 2. `ended` resolves once, whatever the way out, after everything is closed; it carries the exit code.
 * 3. `stop` is a drain; `force` hands back. Both are idempotent.
 */
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Offering } from './capabilities/offering.ts';
import { ownHost } from './capabilities/own-host.ts';
import { maxAhead } from './claim/ahead.ts';
import { Claims } from './claim/claims.ts';
import { CreditBook } from './claim/credits.ts';
import { ConditionReport } from './capabilities/condition.ts';
import { Ledger } from './claim/ledger.ts';
import { planSlots, slotTotal } from './claim/slots-plan.ts';
import { PolicyLoop } from './drain/policy.ts';
import { Preloader } from './models/preloader.ts';
import { PreparedHost } from './models/prepared-host.ts';
import type { Preparing } from './models/prepared-host.ts';
import { ModelStore } from './models/store.ts';
import { Slots } from './claim/slots.ts';
import type { AgentConfig } from './config.ts';
import { CoordinatorWatch } from './drain/coordinator-lost.ts';
import { DrainControl } from './drain/drain.ts';
import { endOf } from './drain/ending.ts';
import type { AgentEnd } from './drain/ending.ts';
import { ExitTimer } from './drain/exit-timer.ts';
import { probeHardware } from './hardware/hardware.ts';
import type { HardwareInfo } from './hardware/hardware.ts';
import { Vitals } from './heartbeat/vitals.ts';
import type { ArtifactGateway, JobHost } from './jobs/contract.ts';
import type { HostLog as Log } from './jobs/log.ts';
import { CoordinatorArtifacts } from './link/artifacts.ts';
import { BlobCache } from './link/blob-cache.ts';
import { channelCredentials, tokenReader } from './link/credentials.ts';
import { loadIdentity } from './link/identity.ts';
import { dispatch } from './link/inbound.ts';
import { Link } from './link/link.ts';
import type { LinkEnd } from './link/link.ts';
import { Outbox } from './link/outbox.ts';
import { FileSpool } from './link/spool.ts';
import { UnackedCompletions } from './link/unacked.ts';
import { ControlServer, askAgent } from './status/control.ts';
import type { ControlCommand } from './status/control.ts';
import { controlPath } from './status/control-path.ts';
import { takeLock } from './status/lock.ts';
import { snapshot } from './status/snapshot.ts';
import type { AgentSnapshot, SnapshotParts } from './status/snapshot.ts';
import { StatusFile } from './status/status-file.ts';
import { programVersion } from './status/version.ts';
import type { Service } from '../runtime/service.ts';
import { ThroughputTally } from '../sdk/common/throughput-tally.ts';

/** Revision of `agent.proto` this program speaks. */
const PROTOCOL_REVISION = 1;

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly log: Log;
  /** In place of the host the configuration describes. It gets the way to artifacts: the agent knows the coordinator. */
  readonly createHost?: (artifacts: ArtifactGateway) => JobHost;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  readonly random?: () => number;
}

export interface AgentService extends Service {
  readonly ended: Promise<AgentEnd>;
  drain(reason: string): void;
  force(reason: string): void;
  pause(paused: boolean): void;
  /** Throws for a type it does not offer. */
  pauseType(type: string, paused: boolean): void;
  status(): AgentSnapshot;
}

export function createAgent(options: AgentOptions): AgentService {
  return new Agent(options);
}

/** What exists once the agent is up. */
interface Parts extends SnapshotParts {
  readonly outbox: Outbox;
}

class Agent implements AgentService {
  readonly name = 'agent';
  readonly ended: Promise<AgentEnd>;
  readonly #o: AgentOptions;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #startedAtEpochMs = Date.now();
  readonly #drain: DrainControl;
  readonly #closers: (() => Promise<void> | void)[] = [];
  #starting: Promise<void> | undefined;
  #parts: Parts | undefined;
  #linkEnd: LinkEnd | undefined;
  #coordinatorLost = false;
  readonly #pausedBy = new Set<'owner' | 'operator' | 'policy'>();
  /** Why the owner's policy lets it take nothing; '' = it does. */
  #policy = '';
  #leaving: { readonly reason: string; readonly deadlineAt: number } | undefined;

  constructor(options: AgentOptions) {
    this.#o = options;
    this.#now = options.now ?? (() => performance.now());
    this.#random = options.random ?? Math.random;
    this.#drain = new DrainControl({
      log: options.log,
      timeoutMs: options.config.drainTimeoutMs,
      parts: this.#drainParts(),
    });
    this.ended = this.#drain.ended.then((outcome) => endOf(outcome, this.#linkEnd, this.#coordinatorLost));
  }

  start(): Promise<void> {
    this.#starting ??= this.#start().catch(async (error: unknown) => {
      await this.#close();
      throw error;
    });
    return this.#starting;
  }

  async stop(): Promise<void> {
    await this.#starting?.catch(() => {});
    if (this.#parts === undefined) return;
    this.drain('stop');
    await this.ended;
  }

  drain(reason: string): void {
    this.#onceUp(() => this.#drain.drain(reason));
  }

  force(reason: string): void {
    this.#onceUp(() => this.#drain.force(reason));
  }

  pause(paused: boolean): void {
    this.#pauseFor('owner', paused);
  }

  pauseType(type: string, paused: boolean): void {
    if (this.#parts?.claims.pauseType(type, paused) !== true)
      throw new Error(`this agent does not offer ${type}`);
  }

  status(): AgentSnapshot {
    return snapshot(this.#drain.state, this.#startedAtEpochMs, this.#parts);
  }

  async #start(): Promise<void> {
    const { config, log } = this.#o;
    await mkdir(config.stateDir, { recursive: true, mode: 0o700 });
    const socket = controlPath(config.stateDir);
    const lock = await takeLock(
      config.stateDir,
      async () => (await askAgent(socket, 'status')) !== undefined,
    );
    this.#onClose(() => lock.release());
    const control = new ControlServer(socket, (command, type) => this.#command(command, type));
    await control.start();
    this.#onClose(() => control.stop());

    const parts = await this.#assemble();
    this.#parts = parts;
    // The owner's policy may have spoken already.
    if (this.#pausedBy.size > 0) parts.claims.pause(true);
    const statusFile = new StatusFile(
      config.stateDir,
      () => this.status(),
      (err) => log.warn({ err }, 'status file'),
    );
    statusFile.start();
    this.#onClose(() => statusFile.stop());
    const startedAt = this.#now();
    const exits = new ExitTimer({
      now: this.#now,
      rules: config.exit,
      view: () => ({ startedAt, idleSince: parts.claims.idleSince, finished: parts.claims.counts.finished }),
      leave: (reason) => this.drain(reason),
    });
    exits.start();
    this.#onClose(() => exits.stop());
    void parts.link.start().then((end) => {
      this.#linkEnd = end;
      if (end.kind === 'refused') this.force('the credential was refused');
    });
  }

  /** Makes the parts and ties them together; each puts its way to close on the stack. */
  async #assemble(): Promise<Parts> {
    const { config, log } = this.#o;
    const now = this.#now;
    const random = this.#random;
    const identity = await loadIdentity(config.stateDir);
    const name = config.name === '' ? hostname() : config.name;
    const version = programVersion();
    const unacked = await this.#openUnacked();
    const credentials = channelCredentials(config.tls);
    const token = tokenReader(config.token);

    const cache = new BlobCache({
      folder: join(config.cacheDir, 'artifacts'),
      maxBytes: config.cacheMaxBytes,
    });
    const artifacts = new CoordinatorArtifacts({ address: () => link.address, credentials, token, cache });
    this.#onClose(() => artifacts.close());
    const models = new ModelStore({
      folder: join(config.cacheDir, 'models'),
      ...config.models,
      now,
      changed: () => condition.changed(),
    });
    const { host, hardware } = await this.#openExecutors(artifacts, models, (request, progress) => {
      const { jobId, token } = request;
      outbox.preparing({ jobId, token, ...progress });
    });

    // An agent that leaves after its first job asks for that one only.
    const [wishedSlots, prefetch] =
      config.exit.afterJobs === undefined ? [config.slots, config.prefetch] : [1, 0];
    const tally = new ThroughputTally();
    const outbox: Outbox = new Outbox({
      now,
      credits: () => {
        condition.changed();
        return claims.nextCredits();
      },
    });
    const offering = new Offering({
      executors: host.executors,
      labels: config.labels,
      hardware,
      slots: (offered) => slotTotal(planSlots(wishedSlots, hardware.cpuCores, offered)),
      changed: (advertisement) => outbox.advertise(advertisement),
    });
    const { offered, left } = offering.selection;
    for (const { type, reason } of left) log.info({ capability: type, reason }, 'not offered');
    if (offered.length === 0) log.warn({}, 'this agent offers nothing');
    const ledger = new Ledger(offered, hardware.gpus, hardware.memoryBytes);
    const slots = new Slots(planSlots(wishedSlots, hardware.cpuCores, offered), maxAhead(prefetch), ledger);
    const credits = new CreditBook();
    const claims = new Claims({
      slots,
      credits,
      host,
      executors: offered,
      outbox,
      unacked,
      tally,
      prefetch,
      log,
      now,
    });
    this.#onClose(() => claims.stop());

    const hasModels = offered.some((executor) => executor.models.length > 0);
    const condition: ConditionReport = new ConditionReport(
      {
        gpuFreeBytes: () => ledger.freeBytes(),
        cachedModels: () => models.names,
        warmModels: () => host.warmModels(),
        pausedTypes: () => slots.pausedTypes,
        closed: () => this.#closedWhy(),
      },
      (said) => outbox.condition(said),
    );
    this.#onClose(() => condition.stop());
    const preloader = new Preloader(
      models,
      (type) => offered.find((executor) => executor.type === type)?.models ?? [],
      log,
    );
    this.#onClose(() => preloader.stop());
    const policy = new PolicyLoop({
      ...(config.hours !== undefined && { hours: config.hours }),
      ...(hasModels && { lowDisk: () => models.lowDisk() }),
      minFreeBytes: config.models.minFreeBytes,
      closed: (why) => {
        this.#policy = why;
        this.#pauseFor('policy', why !== '');
        condition.changed();
      },
      onError: (err) => log.warn({ err }, 'the free disk cannot be told'),
    });
    await policy.start();
    this.#onClose(() => policy.stop());

    const vitals = new Vitals({
      folder: config.stateDir,
      hardware,
      host,
      tally,
      random,
      load: slots,
      held: () => claims.heldReports(),
      send: (heartbeat) => outbox.heartbeat(heartbeat),
      sawGpus: (gpus) => {
        ledger.saw(gpus);
        offering.sawGpus(gpus);
        claims.memoryChanged();
      },
    });
    vitals.start();
    this.#onClose(() => vitals.stop());
    const watch = new CoordinatorWatch(config.onCoordinatorLost, {
      dropWaiting: () => claims.dropWaiting('no coordinator for a whole lease'),
      stop: () => {
        this.#coordinatorLost = true;
        this.force('no coordinator for a whole lease');
      },
    });
    this.#onClose(() => watch.stop());

    const inbound = {
      acks: claims.acks.bind(claims),
      emitAcks: claims.emitAcks.bind(claims),
      cancels: claims.cancels.bind(claims),
      offers: claims.offers.bind(claims),
      preloads: preloader.hints.bind(preloader),
      pause: (paused: boolean) => this.#pauseFor('operator', paused),
      drain: this.drain.bind(this),
    };
    const link: Link = new Link({
      addresses: config.coordinators,
      credentials,
      token,
      outbox,
      log,
      now,
      random,
      handlers: {
        hello: () => ({
          ...identity,
          name,
          version,
          advertisement: offering.advertisement,
          held: claims.heldReports(),
          protocolRevision: PROTOCOL_REVISION,
        }),
        live: (welcome) => {
          // Who greets says it again, should it still hold.
          this.#pauseFor('operator', false);
          watch.live(welcome.leaseMs);
          claims.live(welcome);
          vitals.live(welcome.heartbeatIntervalMs);
          condition.live();
          this.#announceDrain();
        },
        message: (down) => dispatch(down, inbound, log),
        lost: () => {
          watch.lost();
          vitals.lost();
          condition.lost();
          unacked.disconnected();
        },
      },
    });
    this.#onClose(() => link.stop());
    return {
      agentId: identity.agentId,
      name,
      version,
      slots,
      claims,
      offering,
      link,
      unacked,
      tally,
      outbox,
    };
  }

  /** Executors and hardware are looked at side by side; neither needs the other to come up, but for how many jobs fit on GPUs. */
  async #openExecutors(
    artifacts: ArtifactGateway,
    models: ModelStore,
    preparing: Preparing,
  ): Promise<{ host: PreparedHost; hardware: HardwareInfo }> {
    const { config, log, createHost } = this.#o;
    const { types, executors, cacheDir, stateDir } = config;
    let gpuUuids: readonly string[] = [];
    const probed = probeHardware(stateDir);
    const inner =
      createHost?.(artifacts) ??
      ownHost({
        types,
        executors,
        cacheDir,
        artifacts,
        log,
        gpuUuids: () => gpuUuids,
        gpus: probed.then(({ hardware }) => hardware.gpus),
        modelFolder: join(cacheDir, 'models'),
      });
    const host = new PreparedHost(inner, models, preparing, this.#now);
    this.#onClose(() => host.stop());
    const [{ hardware, missing }] = await Promise.all([probed, host.start()]);
    gpuUuids = hardware.gpus.map(({ uuid }) => uuid);
    for (const { probe, reason } of missing) log.warn({ probe, reason }, 'hardware probe');
    return { host, hardware };
  }

  async #openUnacked(): Promise<UnackedCompletions> {
    const { config, log } = this.#o;
    const unacked = new UnackedCompletions({
      now: this.#now,
      spool: new FileSpool({
        folder: join(config.stateDir, 'spool'),
        now: this.#now,
        setAside: (path) => log.error({ path }, 'a result on disk cannot be read; it is set aside'),
      }),
      connected: () => this.#parts?.link.state === 'live',
      events: {
        failing: (err) => log.error({ err }, 'results cannot be kept on disk; they stay in memory'),
        recovered: () => log.info({}, 'results are kept on disk again'),
      },
    });
    const left = await unacked.load();
    if (left > 0) log.info({ results: left }, 'results of an earlier run wait to be acknowledged');
    this.#onClose(async () => {
      const lost = await unacked.close();
      if (lost > 0) log.error({ results: lost }, 'unconfirmed results end with this process');
    });
    return unacked;
  }

  #drainParts(): ConstructorParameters<typeof DrainControl>[0]['parts'] {
    return {
      announce: (reason, timeoutMs) => {
        this.#leaving = { reason, deadlineAt: this.#now() + timeoutMs };
        this.#announceDrain();
      },
      finishHeld: async () => {
        this.#parts?.claims.drain();
        await this.#parts?.claims.whenIdle();
      },
      handBack: () => this.#parts?.claims.handBack({ reason: 'SHUTDOWN', message: 'The agent stops now.' }),
      settle: async (timeoutMs) => {
        this.#parts?.link.hurry();
        await this.#parts?.unacked.whenEmpty(timeoutMs);
      },
      reach: async (timeoutMs) => void (await this.#parts?.link.whenLive(timeoutMs)),
      close: () => this.#close(),
    };
  }

  /** For the coordinator; its own pause it knows. */
  #closedWhy(): string {
    if (this.#policy !== '') return this.#policy;
    return this.#pausedBy.has('owner') ? 'its owner has paused it' : '';
  }

  /** Each of them lifts its own pause only. */
  #pauseFor(who: 'owner' | 'operator' | 'policy', paused: boolean): void {
    if (paused === this.#pausedBy.has(who)) return;
    if (paused) this.#pausedBy.add(who);
    else this.#pausedBy.delete(who);
    this.#o.log.info({ paused, who }, paused ? 'paused: no new jobs' : 'pause lifted');
    this.#parts?.claims.pause(this.#pausedBy.size > 0);
  }

  /** In every session again, with the time that is left then. */
  #announceDrain(): void {
    if (this.#leaving === undefined) return;
    const { reason, deadlineAt } = this.#leaving;
    this.#parts?.outbox.drain({ reason, deadlineMs: Math.max(1, Math.round(deadlineAt - this.#now())) });
  }

  #command(command: ControlCommand, type: string): AgentSnapshot {
    if (type !== '' && (command === 'pause' || command === 'resume'))
      this.pauseType(type, command === 'pause');
    else if (command === 'drain') this.drain('dibs-agent drain');
    else if (command === 'stop') this.force('dibs-agent stop');
    else if (command !== 'status') this.pause(command === 'pause');
    return this.status();
  }

  /** At once, or as soon as a start under way has come to its end. */
  #onceUp(act: () => void): void {
    if (this.#parts !== undefined) act();
    else void this.#starting?.then(act, () => {});
  }

  #onClose(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  /** In the opposite order of making: the link goes before the executors, the lock last. */
  async #close(): Promise<void> {
    for (const close of this.#closers.splice(0).toReversed()) {
      try {
        await close();
      } catch (err) {
        this.#o.log.warn({ err }, 'closing a part of the agent failed');
      }
    }
  }
}
