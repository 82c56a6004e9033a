/**
 * Artifacts for executors, from and to the coordinator the agent is connected to, by way of the local cache.
 *
 * 1. Bytes are checked against the id on the way in; on the way out the id travels first, so the coordinator checks too.
 * 2. The same artifact wanted by several jobs at once is fetched once.
 * 3. An attempt that fails in a way that may pass is repeated, up to ATTEMPTS, with whatever coordinator is then current.
 */
import { createHash } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { Metadata, status } from '@grpc/grpc-js';
import type { ChannelCredentials, ClientReadableStream, ServiceError, StatusObject } from '@grpc/grpc-js';
import { artifactService, makeClient } from '../../proto/gen/load.ts';
import type { ArtifactClient } from '../../proto/gen/load.ts';
import type { ArtifactRef__Output, PutArtifactResponse__Output } from '../../proto/gen/index.ts';
import { clientOptions } from '../../runtime/grpc-options.ts';
import type { ArtifactGateway, ArtifactReference } from '../jobs/contract.ts';
import type { BlobCache } from './blob-cache.ts';

const ATTEMPTS = 4;
const RETRY_MS = 500;
const CHUNK_BYTES = 256 * 1024;
const PASSING: readonly number[] = [
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.CANCELLED,
];

export interface CoordinatorArtifactsOptions {
  readonly address: () => string;
  readonly credentials: ChannelCredentials;
  readonly token: () => string;
  readonly cache: BlobCache;
}

export class CoordinatorArtifacts implements ArtifactGateway {
  readonly #o: CoordinatorArtifactsOptions;
  readonly #fetching = new Map<string, Promise<string>>();
  #client: { readonly address: string; readonly client: ArtifactClient } | undefined;

  constructor(options: CoordinatorArtifactsOptions) {
    this.#o = options;
  }

  async fetch(reference: ArtifactReference): Promise<string> {
    const id = reference.$artifact;
    const known = await this.#o.cache.find(id);
    if (known !== undefined) return known;
    let fetching = this.#fetching.get(id);
    if (fetching === undefined) {
      fetching = this.#retrying(() => this.#download(id)).finally(() => this.#fetching.delete(id));
      this.#fetching.set(id, fetching);
    }
    return fetching;
  }

  async store(path: string, about: { name?: string; mediaType?: string }): Promise<ArtifactReference> {
    const id = await hashFile(path);
    const { size } = await stat(path);
    const ref = { id, name: about.name ?? basename(path), size, mediaType: about.mediaType ?? '' };
    await this.#retrying(() => this.#upload(path, ref));
    await this.#o.cache.addFile(id, path, size);
    return { $artifact: id, name: ref.name, size, mediaType: ref.mediaType };
  }

  close(): void {
    this.#client?.client.close();
    this.#client = undefined;
  }

  async #download(id: string): Promise<string> {
    const call = this.#connect().getArtifact({ id, offset: 0 }, this.#metadata());
    try {
      return await this.#o.cache.add(id, dataOf(call));
    } finally {
      call.cancel();
    }
  }

  async #upload(path: string, ref: ArtifactRef__Output): Promise<void> {
    const client = this.#connect();
    const answer = new Promise<PutArtifactResponse__Output>((resolve, reject) => {
      const call = client.putArtifact(this.#metadata(), (error, response) => {
        if (error !== null) reject(error);
        else if (response === undefined) reject(new Error('the coordinator answered nothing'));
        else resolve(response);
      });
      const send = async (): Promise<void> => {
        call.write({ ref });
        for await (const data of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
          if (call.destroyed) return;
          if (!call.write({ data: data as Buffer })) await drained(call);
        }
        call.end();
      };
      send().catch((error: unknown) => {
        call.cancel();
        reject(error);
      });
    });
    const { ref: stored } = await answer;
    if (stored !== null && stored.id !== ref.id)
      throw new Error(`stored as ${stored.id}, expected ${ref.id}`);
  }

  async #retrying<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        const passing = PASSING.includes((error as Partial<ServiceError>).code ?? -1);
        if (!passing || attempt === ATTEMPTS) throw error;
        await delay(RETRY_MS * attempt);
      }
    }
  }

  #connect(): ArtifactClient {
    const address = this.#o.address();
    if (this.#client?.address !== address) {
      this.close();
      this.#client = {
        address,
        client: makeClient(artifactService, address, this.#o.credentials, clientOptions),
      };
    }
    return this.#client.client;
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    const token = this.#o.token();
    if (token !== '') metadata.set('authorization', `Bearer ${token}`);
    return metadata;
  }
}

/**
 * The bytes of an answer. grpc-js ends a stream before it says that the call failed, so the end alone proves nothing:
 * the status does. Listens at once, because a failure may come before anybody reads.
 */
function dataOf(call: ClientReadableStream<{ data: Buffer }>): AsyncIterable<Uint8Array> {
  const ended = new Promise<StatusObject>((resolve) => void call.on('status', resolve));
  call.on('error', () => {});
  return checked(call, ended);
}

async function* checked(
  parts: AsyncIterable<{ data: Buffer }>,
  ended: Promise<StatusObject>,
): AsyncIterable<Uint8Array> {
  for await (const { data } of parts) if (data.length > 0) yield data;
  const { code, details } = await ended;
  if (code !== status.OK) throw Object.assign(new Error(details), { code });
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await finished(createReadStream(path).on('data', (chunk) => void hash.update(chunk)));
  return `sha256:${hash.digest('hex')}`;
}

const UNBLOCKING = ['drain', 'close', 'error', 'status'] as const;

/** Resolves at the next drain; also when the call ends, so that a writer never waits for a dead one. */
function drained(call: EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of UNBLOCKING) call.off(event, done);
      resolve();
    };
    for (const event of UNBLOCKING) call.on(event, done);
  });
}
