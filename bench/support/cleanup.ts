/**
 * What to undo when a bench ends: at its end, when it fails, on Ctrl-C and SIGTERM.
 *
 * Invariant: everything is undone once, newest first; one that fails does not keep the others.
 */

type Undo = () => Promise<unknown> | void;

export class Cleanup {
  readonly #stack: Undo[] = [];
  #running: Promise<void> | undefined;

  add(undo: Undo): void {
    this.#stack.push(undo);
  }

  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    for (let undo = this.#stack.pop(); undo !== undefined; undo = this.#stack.pop()) {
      try {
        await undo();
      } catch (error) {
        process.stderr.write(`bench: cleaning up: ${(error as Error).message}\n`);
      }
    }
  }
}

/** Runs `body`; leaves nothing behind, whatever happens. */
export async function withCleanup<T>(body: (cleanup: Cleanup) => Promise<T>): Promise<T> {
  const cleanup = new Cleanup();
  const interrupted = (signal: NodeJS.Signals): void => {
    void cleanup.run().then(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  try {
    return await body(cleanup);
  } finally {
    await cleanup.run();
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
  }
}
