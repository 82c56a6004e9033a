/**
 * What every long-lived part of a process is: something with a name that starts and stops.
 *
 * Invariants: `start` and `stop` are idempotent and may be called in any order; when `stop` resolves, nothing of the
 * service runs any more. A group starts in order, stops in reverse, and stops what had started when one fails to start.
 */

export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export class ServiceGroup implements Service {
  readonly name: string;
  readonly #services: readonly Service[];
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  readonly #started: Service[] = [];

  constructor(name: string, services: readonly Service[]) {
    this.name = name;
    this.#services = services;
  }

  start(): Promise<void> {
    this.#stopping = undefined;
    this.#starting ??= this.#startAll();
    return this.#starting;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #startAll(): Promise<void> {
    for (const service of this.#services) {
      // Stopped meanwhile.
      if (this.#stopping !== undefined) return;
      try {
        await service.start();
        this.#started.push(service);
      } catch (error) {
        await service.stop().catch(() => undefined);
        await this.#stopStarted();
        throw new Error(`${service.name} did not start: ${(error as Error).message}`, { cause: error });
      }
    }
  }

  async #stopAll(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    this.#starting = undefined;
    const failures = await this.#stopStarted();
    if (failures.length > 0)
      throw new AggregateError(failures, `${this.name}: ${failures.length} services did not stop cleanly`);
  }

  /** Every one is asked to stop, whatever the others do. */
  async #stopStarted(): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (let service = this.#started.pop(); service !== undefined; service = this.#started.pop()) {
      await service.stop().catch((error: unknown) => failures.push(error));
    }
    return failures;
  }
}
