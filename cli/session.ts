/**
 * Runs a command that talks to a coordinator: makes the client from flags and environment, ends everything under way
 * on Ctrl-C and after --timeout, and closes the client whatever happens.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createClient } from '../sdk/client/index.ts';
import type { ClientOptions, DibsClient } from '../sdk/client/index.ts';
import { formatDuration } from '../sdk/common/duration.ts';
import { TimeUpError, UsageError } from './failure.ts';
import type { Io } from './io.ts';
import type { ConnectionFlags } from './options.ts';

export interface Session {
  readonly client: DibsClient;
  /** Aborts on Ctrl-C and when the time is up; its reason says which. */
  readonly signal: AbortSignal;
}

export async function withClient<Result>(
  io: Io,
  flags: ConnectionFlags,
  run: (session: Session) => Promise<Result>,
): Promise<Result> {
  const deadline = new AbortController();
  const { timeout } = flags;
  const timer =
    timeout === undefined
      ? undefined
      : setTimeout(
          () => deadline.abort(new TimeUpError(`Not done within ${formatDuration(timeout)}.`)),
          timeout,
        );
  const client = connect(io, flags);
  try {
    return await run({ client, signal: AbortSignal.any([io.interrupted, deadline.signal]) });
  } finally {
    clearTimeout(timer);
    client.close();
  }
}

function connect(io: Io, flags: ConnectionFlags): DibsClient {
  try {
    return createClient(clientOptions(io, flags));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function clientOptions(io: Io, { coordinator, tokenFile, tls, tlsCa }: ConnectionFlags): ClientOptions {
  const { DIBS_ADDRESS, DIBS_TOKEN, DIBS_TOKEN_FILE } = io.env;
  const address = coordinator ?? DIBS_ADDRESS;
  const file = tokenFile ?? (DIBS_TOKEN ? undefined : DIBS_TOKEN_FILE);
  const token = file ? read(io, file).trim() : DIBS_TOKEN;
  return {
    ...(address ? { address } : {}),
    ...(token ? { token } : {}),
    ...(tlsCa === undefined ? (tls === true ? { tls } : {}) : { tls: { ca: read(io, tlsCa) } }),
  };
}

function read(io: Io, path: string): string {
  return readFileSync(resolve(io.cwd, path), 'utf8');
}
