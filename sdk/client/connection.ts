/**
 * The channels to the coordinators, one a configured address, made when first used.
 *
 * Any coordinator serves any call, so there is no load balancing here: all calls go to the current one, and whoever
 * finds it gone moves on to the next. Invariant: callers that failed on the same endpoint together move on once.
 */
import grpc from '@grpc/grpc-js';
import { artifactService, makeClient, operatorService, workflowService } from '../../proto/gen/load.ts';
import type { ArtifactClient, OperatorClient, WorkflowClient } from '../../proto/gen/load.ts';
import { clientOptions } from '../../runtime/grpc-options.ts';
import type { ResolvedOptions, TlsOptions } from './client-options.ts';

export interface Endpoint {
  readonly address: string;
  readonly workflows: WorkflowClient;
  readonly artifacts: ArtifactClient;
  readonly operator: OperatorClient;
}

export class Connection {
  readonly options: ResolvedOptions;
  /** Goes with every call. Shared: grpc-js copies it per call. */
  readonly metadata = new grpc.Metadata();
  readonly #open = new Map<string, Endpoint>();
  #current = 0;
  #closed = false;
  /** Some coordinator has answered: one that is gone now is likely to come back. */
  reached = false;

  constructor(options: ResolvedOptions) {
    this.options = options;
    if (options.token !== undefined) this.metadata.set('authorization', `Bearer ${options.token}`);
  }

  /** The coordinator calls go to now. */
  endpoint(): Endpoint {
    if (this.#closed) throw new Error('The client is closed.');
    const { addresses } = this.options;
    const address = addresses[this.#current % addresses.length] ?? addresses[0];
    let endpoint = this.#open.get(address);
    if (endpoint === undefined) {
      endpoint = connect(address, this.options.tls);
      this.#open.set(address, endpoint);
    }
    return endpoint;
  }

  /** `failed` could not be reached: later calls go to the next address. */
  moveOn(failed: Endpoint): void {
    if (this.endpoint() === failed) this.#current += 1;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Ends the channels; calls under way fail. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const endpoint of this.#open.values()) endpoint.workflows.close();
    this.#open.clear();
  }
}

function connect(address: string, tls: TlsOptions | undefined): Endpoint {
  const credentials = tls === undefined ? grpc.credentials.createInsecure() : secure(tls);
  const options: grpc.ClientOptions = {
    ...clientOptions,
    ...(tls?.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': tls.serverName }),
  };
  // One channel for the three services, so that closing it once closes all.
  const channelOverride = new grpc.Channel(address, credentials, options);
  return {
    address,
    workflows: makeClient(workflowService, address, credentials, { channelOverride }),
    artifacts: makeClient(artifactService, address, credentials, { channelOverride }),
    operator: makeClient(operatorService, address, credentials, { channelOverride }),
  };
}

function secure(tls: TlsOptions): grpc.ChannelCredentials {
  return grpc.credentials.createSsl(bytes(tls.ca), bytes(tls.key), bytes(tls.cert));
}

function bytes(pem: string | Buffer | undefined): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem);
}
