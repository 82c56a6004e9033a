/**
 * The proxies of a fleet: one on every way between two of its processes, so that one way can be cut and the others not.
 *
 * A link is what a fault names: `clients>coordinator-1` and `coordinator-1>redis` are one proxy each, `agent-1` has one
 * to every coordinator, all of them in `agent-1>coordinators`.
 *
 * A link is parted at its proxies, or, where it has one, at its cable.
 */
import type { Wire } from './netns.ts';
import { Proxy } from './proxy.ts';
import type { Target } from './proxy.ts';

export class Links {
  readonly #links = new Map<string, Proxy[]>();
  readonly #wires = new Map<string, Wire>();

  /** Opens a way to `target` as part of `link`; the port to dial on `host`. */
  async open(link: string, target: Target, host?: string): Promise<number> {
    const proxy = new Proxy(link);
    await proxy.start(target, host);
    const proxies = this.#links.get(link) ?? [];
    this.#links.set(link, [...proxies, proxy]);
    return proxy.port;
  }

  names(): string[] {
    return [...this.#links.keys()];
  }

  get(link: string): readonly Proxy[] {
    const proxies = this.#links.get(link);
    if (proxies === undefined) throw new Error(`There is no link ${link}.`);
    return proxies;
  }

  /** Says that all of the link runs over this cable. */
  wire(link: string, wire: Wire): void {
    this.#wires.set(link, wire);
  }

  async part(link: string): Promise<void> {
    const wire = this.#wires.get(link);
    if (wire === undefined) for (const proxy of this.get(link)) proxy.blackhole(true);
    else await wire.pull();
  }

  async join(link: string): Promise<void> {
    const wire = this.#wires.get(link);
    if (wire === undefined) for (const proxy of this.get(link)) proxy.blackhole(false);
    else await wire.plug();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#links.values()].flat().map((proxy) => proxy.stop()));
    this.#links.clear();
    this.#wires.clear();
  }
}
