/**
 * Where configuration files lie and how one is read: YAML, of which JSON is a part.
 *
 * Invariants: a file that was named must exist, one that is only looked for need not; a file holds a mapping at its top;
 * every problem says the file (and the line, where the parser knows it).
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { ConfigError } from './config-error.ts';

export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Files of one program ("agent", "coordinator"), the system's before the user's; later ones win. */
export function configPaths(program: string, env: Environment = process.env): string[] {
  const user = env['XDG_CONFIG_HOME'] ?? join(env['HOME'] ?? homedir(), '.config');
  return [`/etc/dibs/${program}.yaml`, join(user, 'dibs', `${program}.yaml`)];
}

/** Reads the files that exist; with `named`, that one alone, which must exist. */
export function readConfigFiles(paths: readonly string[], named?: string): ConfigFile[] {
  return named === undefined
    ? paths.flatMap((path) => readConfigFile(path, false) ?? [])
    : [readConfigFile(named, true) as ConfigFile];
}

function readConfigFile(path: string, mustExist: boolean): ConfigFile | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !mustExist) return undefined;
    throw new ConfigError([`${path} cannot be read: ${(error as Error).message}`]);
  }
  const document = parseDocument(text, { prettyErrors: true, uniqueKeys: true });
  if (document.errors.length > 0)
    throw new ConfigError(document.errors.map(({ message }) => `${path}: ${message.split('\n')[0]}`));
  const values: unknown = document.toJS() ?? {};
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new ConfigError([`${path} must hold settings as "name: value" lines.`]);
  }
  return { path, values: values as Record<string, unknown> };
}
