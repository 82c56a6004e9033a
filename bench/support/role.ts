/**
 * The child's side of a role: answers the bench's commands over the IPC channel, one at a time.
 *
 * Invariants: a role ends with its parent, however that ended (the channel closes); Ctrl-C, which reaches the whole
 * process group, is left to the parent, so that roles stop in order.
 */

export interface Command {
  readonly id: number;
  readonly name: string;
  readonly data: unknown;
}

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

export interface RoleParts {
  readonly commands?: Readonly<Record<string, (data: never) => Promise<unknown>>>;
  readonly stop: () => Promise<void> | void;
}

/** Answer number of the word that a role is ready. */
export const READY = 0;
const STOP_GRACE_MS = 10_000;

/** Runs `start` and serves what it gives; its first argument is what the parent handed over. */
export async function serveRole(
  start: (setup: never) => Promise<RoleParts & { ready?: unknown }>,
): Promise<void> {
  process.on('SIGINT', () => {});
  const setup: unknown = JSON.parse(process.argv[2] ?? 'null');
  let parts: RoleParts | undefined;
  let leaving = false;
  const leave = async (): Promise<void> => {
    if (leaving) return;
    leaving = true;
    setTimeout(() => process.exit(1), STOP_GRACE_MS).unref();
    await parts?.stop();
    process.exit(0);
  };
  process.on('disconnect', () => void leave());
  process.on('SIGTERM', () => void leave());
  const say = (answer: Answer): void => void process.send?.(answer);

  const answer = async ({ id, name, data }: Command): Promise<void> => {
    if (name === 'stop') return leave();
    const run = parts?.commands?.[name];
    try {
      if (run === undefined) throw new Error(`this role knows no command "${name}"`);
      say({ id, value: await run(data as never) });
    } catch (error) {
      say({ id, error: describe(error) });
    }
  };
  process.on('message', (command) => void answer(command as Command));

  try {
    const { ready, ...rest } = await start(setup as never);
    parts = rest;
    say({ id: READY, value: ready });
  } catch (error) {
    say({ id: READY, error: describe(error) });
    await leave();
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
