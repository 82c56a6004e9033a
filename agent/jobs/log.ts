/** The logger the host takes (pino fits) and how an executor's `ctx.log` reaches it. */
import type { ExecutorLog } from '../../sdk/executor/context.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface HostLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type LogSink = (level: LogLevel, message: string, fields: Record<string, unknown>) => void;

export function executorLog(sink: LogSink): ExecutorLog {
  return {
    debug: (message, fields = {}) => sink('debug', message, fields),
    info: (message, fields = {}) => sink('info', message, fields),
    warn: (message, fields = {}) => sink('warn', message, fields),
    error: (message, fields = {}) => sink('error', message, fields),
  };
}

/** Fields as plain JSON, so that they can cross to another process whatever the executor put in. */
export function plainFields(fields: Record<string, unknown>): Record<string, unknown> {
  try {
    const text = JSON.stringify(fields, (_key, value: unknown) => {
      if (typeof value === 'bigint') return value.toString();
      return value instanceof Error
        ? { name: value.name, message: value.message, stack: value.stack }
        : value;
    });
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { unloggable: true };
  }
}
