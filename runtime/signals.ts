/**
 * What Ctrl-C and SIGTERM do: the first one drains, the second one hurries.
 *
 * Invariants: both signals count alike and together; each hook runs once; a third signal and later ones are ignored, so
 * that a nervous hand cannot cut the hurried stop short (kill -9 still can). SIGHUP keeps its meaning, for nohup's sake.
 */

export type StopSignal = 'SIGINT' | 'SIGTERM';

export interface SignalHooks {
  /** Finish what runs, take nothing new. */
  readonly first: (signal: StopSignal) => void;
  /** Cancel what runs and leave. */
  readonly second: (signal: StopSignal) => void;
}

const SIGNALS: readonly StopSignal[] = ['SIGINT', 'SIGTERM'];

/** Returns the function that takes the hooks away again. */
export function onStopSignals(
  hooks: SignalHooks,
  source: Pick<NodeJS.EventEmitter, 'on' | 'off'> = process,
): () => void {
  let received = 0;
  const listener = (signal: StopSignal): void => {
    received += 1;
    if (received === 1) hooks.first(signal);
    else if (received === 2) hooks.second(signal);
  };
  for (const signal of SIGNALS) source.on(signal, listener);
  return () => {
    for (const signal of SIGNALS) source.off(signal, listener);
  };
}
