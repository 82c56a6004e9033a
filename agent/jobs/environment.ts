/** A child's environment is an allow-list: the agent's credentials and settings never reach an executor. */

const ALWAYS = [
  ...['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR', 'CUDA_VISIBLE_DEVICES'],
  // Node's own: without it every executor's process compiles the same modules anew.
  'NODE_COMPILE_CACHE',
] as const;

/** `more` names further variables to pass; `values` are set whatever the agent's own environment says. */
export function childEnvironment(
  source: NodeJS.ProcessEnv,
  more: readonly string[],
  values: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of [...ALWAYS, ...more]) {
    const value = source[name];
    if (value !== undefined) environment[name] = value;
  }
  return { ...environment, ...values };
}
