/**
 * The log of a process: pino to standard error, JSON lines for machines, short lines for a person at a terminal.
 *
 * Invariants: standard output is never written to (it belongs to data); field names are one fixed list
 * (time level msg component agentId workflowId step jobId attempt capability executor gpu durationMs reason err traceId
 * spanId); nothing is lost when the process ends right after a line; fields that hold credentials are blotted out.
 */
import pino from 'pino';
import type { DestinationStream, Logger as PinoLogger } from 'pino';
import { shortLine } from './log-line.ts';

export type Logger = PinoLogger;
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  /** For example "coordinator", "agent". */
  readonly component: string;
  /** Default: DIBS_LOG_LEVEL, or info. */
  readonly level?: LogLevel;
  /** Default: json unless standard error is a terminal. */
  readonly format?: 'json' | 'short';
  /** Where lines go; default standard error. */
  readonly destination?: DestinationStream;
}

const SECRETS = ['token', 'password', 'secret', 'authorization', 'apiKey'];

export function createLogger(options: LogOptions): Logger {
  const {
    component,
    level = levelFromEnvironment(),
    format = process.stderr.isTTY ? 'short' : 'json',
  } = options;
  // Synchronous: a line written before a crash is a line kept. Hot paths do not log.
  const sink = options.destination ?? pino.destination({ fd: 2, sync: true });
  return pino(
    {
      level,
      base: { component },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '…' },
    },
    format === 'short' ? { write: (line: string) => sink.write(shortLine(line, useColour())) } : sink,
  );
}

/** A level nobody knows counts as info: a typing mistake must not silence a log. */
function levelFromEnvironment(): LogLevel {
  const wanted = process.env['DIBS_LOG_LEVEL']?.toLowerCase();
  return LOG_LEVELS.find((level) => level === wanted) ?? 'info';
}

function useColour(): boolean {
  return process.stderr.isTTY && (process.env['NO_COLOR'] ?? '') === '';
}
