/**
 * The gRPC server: our services, health per service, reflection.
 *
 * Invariant: health says SERVING only between start and drain; a drain lets calls under way finish until its deadline.
 */
import grpc from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { reflectionPackage } from '../../proto/gen/load.ts';
import { serverOptions } from '../../runtime/grpc-options.ts';
import { widenServerWindows } from '../../runtime/server-windows.ts';
import type { ListenAddress } from '../config.ts';

const SERVICES = [
  '',
  'dibs.v1.WorkflowService',
  'dibs.v1.AgentService',
  'dibs.v1.OperatorService',
  'dibs.v1.ArtifactService',
];

type ServingStatus = 'SERVING' | 'NOT_SERVING';

export class GrpcServer {
  readonly #server = new grpc.Server(serverOptions);
  readonly #health = new HealthImplementation(statuses('NOT_SERVING'));

  constructor(mount: (server: grpc.Server) => void) {
    widenServerWindows();
    mount(this.#server);
    this.#health.addToServer(this.#server);
    new ReflectionService(reflectionPackage()).addToServer(this.#server);
  }

  /** Resolves to the port that was bound. */
  async listen({ host, port }: ListenAddress): Promise<number> {
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    const bound = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, found) => {
        if (error !== null)
          reject(new Error(`Cannot listen on ${address}: ${error.message}`, { cause: error }));
        else resolve(found);
      });
    });
    this.#say('SERVING');
    return bound;
  }

  /** Takes no new calls; ends those that are left after the deadline. */
  async stop(graceMs: number): Promise<void> {
    this.#say('NOT_SERVING');
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#server.forceShutdown(), graceMs);
      this.#server.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #say(status: ServingStatus): void {
    for (const name of SERVICES) this.#health.setStatus(name, status);
  }
}

function statuses(status: ServingStatus): Record<string, ServingStatus> {
  return Object.fromEntries(SERVICES.map((name) => [name, status]));
}
