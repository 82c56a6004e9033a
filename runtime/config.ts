/**
 * The configuration of a program: one table of settings, values from flags, environment, files and defaults.
 *
 * Numbered rules:
 *   1. Flags > environment (`DIBS_FOO_BAR` for `--foo-bar`) > files (the user's over the system's) > default.
 *   2. Each value is checked by its schema whichever way it came; all mistakes are reported together (ConfigError, exit 78).
 *   3. A key nobody knows is a mistake, with the nearest known one named; in the environment, which other programs share,
 *      it is a warning.
 *   4. A secret may also be the name of a file that holds it (`DIBS_TOKEN_FILE`, `token-file:`, `--token-file`); it is never
 *      shown.
 *   5. Each value knows where it came from.
 */
import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { ConfigError } from './config-error.ts';
import type { ConfigFile } from './config-file.ts';
import { nearest } from './nearest.ts';

export interface Setting<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  /** As it would stand in a file; undefined = the setting may be missing, and its value is then undefined. */
  readonly default?: z.input<Schema> | string | number | boolean;
  /** One sentence for --help and for the reference page. */
  readonly doc: string;
  readonly secret?: boolean;
  /** Another variable that sets it, for example REDIS_URL. DIBS_… wins. */
  readonly env?: string;
}

export type Settings = Readonly<Record<string, Setting>>;

export type Values<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends { readonly default: unknown }
    ? z.output<S[K]['schema']>
    : z.output<S[K]['schema']> | undefined;
};

export interface Shown {
  /** `foo-bar`. */
  readonly key: string;
  /** Text; a secret's is "(set)". */
  readonly value: string;
  /** `flag --foo-bar`, `env DIBS_FOO_BAR`, `file /etc/dibs/agent.yaml`, `default`. */
  readonly source: string;
}

export interface Config<S extends Settings> {
  readonly values: Values<S>;
  readonly shown: readonly Shown[];
  /** Rule 3: variables that look like ours and are not. */
  readonly warnings: readonly string[];
}

export interface ConfigSources {
  /** By camelCase name, as commander gives them; undefined = not given. */
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Later ones win. */
  readonly files?: readonly ConfigFile[];
  /** DIBS_ variables that belong to others: levels of the log, marks of the tests. */
  readonly knownEnv?: readonly string[];
}

interface Found {
  readonly value: unknown;
  readonly source: string;
}

/** Only gives the table its type. */
export function defineSettings<const S extends Settings>(settings: S): S {
  return settings;
}

export function loadConfig<S extends Settings>(settings: S, sources: ConfigSources): Config<S> {
  const { flags = {}, env = {}, files = [] } = sources;
  const problems = files.flatMap((file) => unknownKeys(settings, file));
  const values: Record<string, unknown> = {};
  const shown: Shown[] = [];
  for (const [name, setting] of Object.entries(settings)) {
    const key = kebab(name);
    try {
      const found = lookUp(name, setting, flags, env, files);
      if (found === undefined || found.value === undefined) {
        values[name] = undefined;
        shown.push({ key, value: '', source: 'default' });
        continue;
      }
      const parsed = setting.schema.safeParse(found.value);
      if (!parsed.success) {
        problems.push(
          ...parsed.error.issues.map(
            ({ path, message }) => `${[key, ...path].join('.')} (${found.source}) ${message}`,
          ),
        );
        continue;
      }
      values[name] = parsed.data;
      shown.push({ key, value: setting.secret === true ? '(set)' : show(found.value), source: found.source });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    values: values as Values<S>,
    shown,
    warnings: unknownVariables(settings, env, sources.knownEnv ?? []),
  };
}

/** `foo-bar` of fooBar, foo_bar and foo-bar. */
export function kebab(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll('_', '-')
    .toLowerCase();
}

/** `DIBS_FOO_BAR` of fooBar. */
export function variableName(name: string): string {
  return `DIBS_${kebab(name).replaceAll('-', '_').toUpperCase()}`;
}

/** Rules 1 and 4. */
function lookUp(
  name: string,
  setting: Setting,
  flags: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
  files: readonly ConfigFile[],
): Found | undefined {
  const key = kebab(name);
  const variable = variableName(name);
  const fromEnv = (wanted: string): Found | undefined =>
    env[wanted] === undefined || env[wanted] === ''
      ? undefined
      : { value: env[wanted], source: `env ${wanted}` };
  const layers: (() => [Found | undefined, Found | undefined])[] = [
    () => [found(flags[name], `flag --${key}`), found(flags[`${name}File`], `flag --${key}-file`)],
    () => [fromEnv(variable), fromEnv(`${variable}_FILE`)],
    () =>
      setting.env === undefined
        ? [undefined, undefined]
        : [fromEnv(setting.env), fromEnv(`${setting.env}_FILE`)],
    ...files.toReversed().map((file) => (): [Found | undefined, Found | undefined] => {
      const entries = new Map(Object.entries(file.values).map(([entry, value]) => [kebab(entry), value]));
      return [
        found(entries.get(key), `file ${file.path}`),
        found(entries.get(`${key}-file`), `file ${file.path}`),
      ];
    }),
  ];
  for (const layer of layers) {
    const [plain, file] = layer();
    const named = setting.secret === true ? file : undefined;
    if (plain !== undefined && named !== undefined)
      throw new ConfigError([`${key} is set twice: as ${plain.source} and as ${named.source}.`]);
    if (named !== undefined) return readSecret(key, named);
    if (plain !== undefined) return plain;
  }
  return found(setting.default, 'default');
}

function readSecret(key: string, { value, source }: Found): Found {
  try {
    const secret = readFileSync(String(value), 'utf8').trim();
    if (secret === '') throw new Error('the file is empty');
    return { value: secret, source: `${source} (${String(value)})` };
  } catch (error) {
    throw new ConfigError([
      `${key} (${source}): ${String(value)} cannot be used: ${(error as Error).message}`,
    ]);
  }
}

/** Rule 3. */
function unknownKeys(settings: Settings, file: ConfigFile): string[] {
  const known = new Set(
    Object.entries(settings).flatMap(([name, { secret }]) =>
      secret === true ? [kebab(name), `${kebab(name)}-file`] : [kebab(name)],
    ),
  );
  return Object.keys(file.values)
    .filter((key) => !known.has(kebab(key)))
    .map((key) => `${file.path}: there is no setting "${key}"${suggestion(nearest(kebab(key), known))}`);
}

function unknownVariables(
  settings: Settings,
  env: Readonly<Record<string, string | undefined>>,
  others: readonly string[],
): string[] {
  const known = new Set([
    ...Object.keys(settings).flatMap((name) => [variableName(name), `${variableName(name)}_FILE`]),
    ...others,
  ]);
  return Object.keys(env)
    .filter((name) => name.startsWith('DIBS_') && !known.has(name))
    .map((name) => `The variable ${name} is not one of this program's${suggestion(nearest(name, known))}`);
}

function suggestion(word: string | undefined): string {
  return word === undefined ? '.' : `; did you mean "${word}"?`;
}

function found(value: unknown, source: string): Found | undefined {
  return value === undefined || value === null ? undefined : { value, source };
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
