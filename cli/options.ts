/** Options that many commands have, and how their text is read. A mistake is a usage error that names the option. */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { DEFAULT_ADDRESS } from '../sdk/client/index.ts';
import { parseDuration } from '../sdk/common/duration.ts';

export const FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type Format = (typeof FORMATS)[number];

export interface ConnectionFlags {
  readonly coordinator?: string;
  readonly tokenFile?: string;
  readonly tls?: boolean;
  readonly tlsCa?: string;
  /** Milliseconds. */
  readonly timeout?: number;
}

export interface OutputFlags {
  readonly output: Format;
}

export function withConnection(command: Command): Command {
  return command
    .option(
      '--coordinator <address>',
      `host:port, several with commas (DIBS_ADDRESS; default ${DEFAULT_ADDRESS})`,
    )
    .option('--token-file <path>', 'file with the bearer token (DIBS_TOKEN_FILE, DIBS_TOKEN)')
    .option('--tls', 'connect with TLS, trusting the roots of the system')
    .option('--tls-ca <path>', 'PEM file with the root to trust; implies TLS')
    .addOption(new Option('--timeout <duration>', 'give up after this time: 30s, 5m').argParser(duration));
}

export function withOutput(command: Command, formats: readonly Format[] = FORMATS): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'how to print').choices(formats).default('table'),
  );
}

/** Milliseconds. */
export function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms === 0)
    throw new InvalidArgumentError('It is no duration such as 30s, 5m or 1h30m.');
  return ms;
}

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It is no whole number from ${min} to ${max}.`);
  };
}

/** For options that may be repeated. */
export function collect(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}

/** `name=value`, repeated, as an object. */
export function collectPairs(
  text: string,
  before: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It is no name=value.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
