/** Probes may hang (a dead NFS mount, a driver in trouble): each gets a bounded time and a fallback. */

export interface Bounded<T> {
  readonly value: T;
  /** Why `value` is the fallback; undefined = it was measured. */
  readonly failed: string | undefined;
}

/** The probe's value, or `fallback` when it throws or takes longer than `ms`. Never rejects, never keeps the process alive. */
export async function bounded<T>(probe: () => Promise<T>, fallback: T, ms: number): Promise<Bounded<T>> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<Bounded<T>>((resolve) => {
    timer = setTimeout(() => resolve({ value: fallback, failed: `no answer within ${ms} ms` }), ms);
  });
  const answer = probe().then(
    (value): Bounded<T> => ({ value, failed: undefined }),
    (error: unknown): Bounded<T> => ({
      value: fallback,
      failed: error instanceof Error ? error.message : String(error),
    }),
  );
  const first = await Promise.race([answer, timeout]);
  clearTimeout(timer);
  return first;
}
