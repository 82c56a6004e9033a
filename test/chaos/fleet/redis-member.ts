/** The Redis of a fleet as one of its members: killed and started again on the same data and port. */
import { join } from 'node:path';
import { startRedis } from '../../support/redis-server.ts';
import type { TestRedis } from '../../support/redis-server.ts';
import { Member } from './member.ts';
import { forgetPid, watchPid } from './reaper.ts';

export type Durability = 't1' | 't2' | 't3';

export interface RedisMemberOptions {
  readonly folder: string;
  readonly port: number;
  readonly durability: Durability;
  readonly onUnexpectedExit: (what: string) => void;
}

export class RedisMember extends Member {
  readonly #redis: RedisMemberOptions;
  #server: TestRedis | undefined;
  #over = false;

  constructor(options: RedisMemberOptions) {
    const { folder, onUnexpectedExit } = options;
    super({ name: 'redis', kind: 'redis', logFile: join(folder, 'redis.log'), args: [], onUnexpectedExit });
    this.#redis = options;
  }

  /** Loopback; the same over restarts. */
  get port(): number {
    return this.#redis.port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  override async start(): Promise<void> {
    if (this.#over) throw new Error('redis has been stopped.');
    if (this.state !== 'down') throw new Error('redis runs already.');
    const { folder, port, durability } = this.#redis;
    if (this.#server === undefined) {
      const appendfsync = durability === 't1' ? 'everysec' : 'always';
      this.#server = await startRedis({
        durable: true,
        folder,
        port,
        settings: { appendfsync },
        onExit: () => this.#ended(),
      });
    } else await this.#server.restart();
    this.pid = this.#server.pid;
    watchPid(this.pid);
    this.state = 'up';
    this.restarts += 1;
  }

  override async kill(): Promise<void> {
    if (this.state === 'down') return;
    await this.#server?.crash();
    this.#down();
  }

  override freeze(): void {
    if (this.state !== 'up') return;
    this.#server?.freeze();
    this.state = 'frozen';
  }

  override thaw(): void {
    if (this.state !== 'frozen') return;
    this.#server?.thaw();
    this.state = 'up';
  }

  override signal(name: NodeJS.Signals): void {
    if (this.pid !== undefined) process.kill(this.pid, name);
  }

  override async stop(): Promise<void> {
    this.#over = true;
    await this.#server?.stop();
    this.#down();
  }

  #ended(): void {
    this.report('redis ended by itself.');
    this.#down();
  }

  #down(): void {
    if (this.pid !== undefined) forgetPid(this.pid);
    this.pid = undefined;
    this.state = 'down';
  }
}
