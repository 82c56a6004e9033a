/**
 * A network of its own for the agents of a fleet: each in a network namespace, all on one bridge, so that a cable can be
 * pulled for real. Needs root, `ip`, `unshare` and `nsenter`; `permitted` says whether it can be done here.
 *
 *     harness ── veth ──┬ bridge in a namespace ┬── veth ── agent-1
 *     (198.18.n.1)      └───────────────────────┴── veth ── agent-2
 *
 * 1. Of the machine's own network it adds one veth with one address of the range for benchmarks, and touches nothing else.
 * 2. A cable is pulled at the bridge: both sides keep their addresses and routes, and hear nothing.
 * 3. A namespace lives as long as its processes; its holder ends with the harness, however that ends, and the last veth goes
 *    with the namespaces. Nothing has to be removed by hand.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { until } from '../../support/until.ts';

const run = promisify(execFile);
const SUBNETS = 250;
const TRIES = 5;

export interface Wire {
  /** Command and arguments before those of a program that is to run at the far end. */
  readonly enter: readonly string[];
  pull(): Promise<void>;
  plug(): Promise<void>;
}

/** Undefined when namespaces can be made here; else the reason, for people. */
export async function notPermitted(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    await run('ip', ['-V']);
    const network = await Network.start();
    try {
      await network.join();
    } finally {
      await network.stop();
    }
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
      ? 'there is no `ip` here (package iproute2) or no `unshare` (util-linux)'
      : `namespaces cannot be made here: ${(error as Error).message.trim()}`;
  }
}

export class Network {
  /** Of the harness, as agents see it. */
  readonly address: string;
  readonly #subnet: string;
  readonly #device: string;
  readonly #hub: Namespace;
  readonly #namespaces: Namespace[] = [];

  private constructor(hub: Namespace, device: string, subnet: string) {
    this.#hub = hub;
    this.#device = device;
    this.#subnet = subnet;
    this.address = `${subnet}.1`;
  }

  static async start(): Promise<Network> {
    const hub = await Namespace.open();
    const device = `dibs${hub.pid}`;
    try {
      await run('ip', [
        'link',
        'add',
        device,
        'type',
        'veth',
        'peer',
        'name',
        'harness',
        'netns',
        String(hub.pid),
      ]);
      const subnet = await takeSubnet(device);
      await run('ip', ['link', 'set', device, 'up']);
      await hub.ip('link', 'add', 'hub0', 'type', 'bridge');
      await hub.ip('link', 'set', 'dev', 'hub0', 'up');
      await hub.ip('link', 'set', 'dev', 'harness', 'master', 'hub0', 'up');
      return new Network(hub, device, subnet);
    } catch (error) {
      await run('ip', ['link', 'del', device]).catch(() => undefined);
      await hub.close();
      throw error;
    }
  }

  /** A namespace with a cable to the bridge. */
  async join(): Promise<Wire> {
    const far = await Namespace.open();
    this.#namespaces.push(far);
    const port = `port${this.#namespaces.length}`;
    const hub = this.#hub;
    await hub.ip('link', 'add', port, 'type', 'veth', 'peer', 'name', 'cable', 'netns', String(far.pid));
    await hub.ip('link', 'set', 'dev', port, 'master', 'hub0', 'up');
    await far.ip('addr', 'add', `${this.#subnet}.${this.#namespaces.length + 1}/24`, 'dev', 'cable');
    await far.ip('link', 'set', 'cable', 'up');
    // Of the namespace; a program expects to have one.
    await far.ip('link', 'set', 'lo', 'up');
    return {
      enter: far.enter,
      pull: () => hub.ip('link', 'set', port, 'down'),
      plug: () => hub.ip('link', 'set', port, 'up'),
    };
  }

  /** When no program runs in the namespaces any more. */
  async stop(): Promise<void> {
    await run('ip', ['link', 'del', this.#device]).catch(() => undefined);
    await Promise.all([...this.#namespaces, this.#hub].map((namespace) => namespace.close()));
  }
}

/** A network namespace, held open by a process that ends with us. */
class Namespace {
  readonly pid: number;
  readonly enter: readonly string[];
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess, pid: number) {
    this.#holder = holder;
    this.pid = pid;
    this.enter = ['nsenter', `--net=/proc/${pid}/ns/net`];
  }

  static async open(): Promise<Namespace> {
    // cat waits for the end of its input, which comes when we close it or are gone.
    const holder = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const failed = new Promise<never>((_, reject) => {
      holder.once('error', reject);
      holder.once('exit', () => reject(new Error('unshare --net was refused')));
    });
    failed.catch(() => undefined);
    const ours = readlinkSync('/proc/self/ns/net');
    const apart = until('a network namespace', () => readlinkSync(`/proc/${holder.pid}/ns/net`) !== ours);
    await Promise.race([apart, failed]);
    return new Namespace(holder, holder.pid ?? 0);
  }

  async ip(...args: string[]): Promise<void> {
    const [command = '', ...before] = this.enter;
    await run(command, [...before, 'ip', ...args]);
  }

  async close(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#holder.once('exit', resolve));
    this.#holder.stdin?.end();
    await gone;
  }
}

/** Gives the device the first address of a subnet that no other harness uses. */
async function takeSubnet(device: string): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    const subnet = `198.18.${1 + ((process.pid + attempt * 7) % SUBNETS)}`;
    const { stdout } = await run('ip', ['-o', 'addr', 'show', 'to', `${subnet}.0/24`]);
    if (stdout.trim() === '') {
      await run('ip', ['addr', 'add', `${subnet}.1/24`, 'dev', device]);
      return subnet;
    }
    if (attempt === TRIES) throw new Error('no free subnet in 198.18.0.0/16');
  }
}
