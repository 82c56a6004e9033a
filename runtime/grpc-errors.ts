/**
 * Errors on their way over gRPC: a DibsError to status and details, and back.
 *
 * On the wire: the status code and message, and in `grpc-status-details-bin` a google.rpc.Status with ErrorInfo
 * {reason, domain, metadata}, BadRequest (one violation a problem) and RetryInfo. Invariants: an expected refusal keeps
 * reason, problems and retry hint across the wire; anything else reaches the caller as INTERNAL with a correlation id and
 * without a stack, which goes to the log; details stay below what every gRPC implementation accepts as trailers.
 */
import grpc from '@grpc/grpc-js';
import { codec } from '../proto/gen/load.ts';
import { Code, DibsError, ERROR_DOMAIN } from '../sdk/common/errors.ts';
import type { Problem, ProblemReason } from '../sdk/common/errors.ts';
import { newId } from './ids.ts';
import { asStoreError } from './redis/store-errors.ts';

interface Any {
  type_url: string;
  value: Buffer;
}
const STATUS = codec<{ code: number; message: string; details: Any[] }>('google.rpc.Status');
const ERROR_INFO = codec<{ reason: string; domain: string; metadata: Record<string, string> }>(
  'google.rpc.ErrorInfo',
);
const BAD_REQUEST = codec<{ fieldViolations: { field: string; description: string; reason: string }[] }>(
  'google.rpc.BadRequest',
);
const RETRY_INFO = codec<{ retryDelay: { seconds: number; nanos: number } | null }>('google.rpc.RetryInfo');

const TYPE_PREFIX = 'type.googleapis.com/google.rpc.';
const TRAILER = 'grpc-status-details-bin';
/** Java refuses trailers over 8 KiB by default; base64 takes a third more. The rest is counted in metadata. */
const MAX_PROBLEM_BYTES = 4_500;
const MAX_MESSAGE_CHARS = 1_000;

/** The part of a logger this needs. */
export interface ErrorLog {
  error(fields: object, message: string): void;
}

/**
 * What a handler gives to `callback`, or emits as 'error' on its stream. That Redis does not answer is an expected refusal
 * wherever it shows; unknown errors are logged with their stack.
 */
export function toServiceError(error: unknown, log: ErrorLog): grpc.ServiceError {
  const known = error instanceof DibsError ? error : asStoreError(error);
  return refusal(known instanceof DibsError ? known : concealed(error, log));
}

/** What a client throws for a failed call. The reason is that of the details, or the name of the gRPC code. */
export function fromServiceError(error: unknown): DibsError {
  if (error instanceof DibsError) return error;
  const { code, details, metadata, message } = error as Partial<grpc.ServiceError>;
  if (typeof code !== 'number') return foreign(error);
  const found = readDetails(metadata);
  const refused = new DibsError(
    'INTERNAL',
    details === undefined || details === '' ? (message ?? '') : details,
    {
      problems: found.problems,
      metadata: found.metadata,
      cause: error,
      ...(found.retryAfterMs === undefined ? {} : { retryAfterMs: found.retryAfterMs }),
    },
  );
  return Object.assign(refused, { code, reason: found.reason ?? codeName(code) });
}

/** The name of a gRPC status code, `UNKNOWN` for a number nobody knows. */
export function codeName(code: number): string {
  return grpc.status[code] ?? 'UNKNOWN';
}

function refusal(error: DibsError): grpc.ServiceError {
  const message =
    error.message.length > MAX_MESSAGE_CHARS
      ? `${error.message.slice(0, MAX_MESSAGE_CHARS - 1)}…`
      : error.message;
  const violations = error.problems.map(({ path, message: description, reason }) => ({
    field: path,
    description,
    reason,
  }));
  const sent = fitting(violations);
  const omitted = violations.length - sent.length;
  const info = {
    reason: error.reason,
    domain: ERROR_DOMAIN,
    metadata: { ...error.metadata, ...(omitted === 0 ? {} : { omitted_problems: String(omitted) }) },
  };
  const details = [any('ErrorInfo', ERROR_INFO.encode(info))];
  if (sent.length > 0) details.push(any('BadRequest', BAD_REQUEST.encode({ fieldViolations: sent })));
  if (error.retryAfterMs !== undefined) {
    const seconds = Math.floor(error.retryAfterMs / 1000);
    const retryDelay = { seconds, nanos: Math.round((error.retryAfterMs - seconds * 1000) * 1e6) };
    details.push(any('RetryInfo', RETRY_INFO.encode({ retryDelay })));
  }
  const metadata = new grpc.Metadata();
  metadata.set(TRAILER, STATUS.encode({ code: error.code, message, details }));
  return Object.assign(new Error(message), { code: error.code, details: message, metadata });
}

function concealed(error: unknown, log: ErrorLog): DibsError {
  const correlationId = newId('err');
  log.error({ err: error, correlationId }, 'a call failed unexpectedly');
  return new DibsError('INTERNAL', `Internal error; the coordinator's log has it as ${correlationId}.`, {
    metadata: { correlation_id: correlationId },
  });
}

/** Tags and lengths of one problem on the wire. */
const PROBLEM_FRAME_BYTES = 16;

function fitting<T extends { field: string; description: string; reason: string }>(
  violations: readonly T[],
): T[] {
  let bytes = 0;
  const upTo = violations.findIndex(({ field, description, reason }) => {
    bytes += Buffer.byteLength(field) + Buffer.byteLength(description) + reason.length + PROBLEM_FRAME_BYTES;
    return bytes > MAX_PROBLEM_BYTES;
  });
  return violations.slice(0, upTo === -1 ? violations.length : Math.max(upTo, 1));
}

interface Found {
  reason?: string;
  metadata: Record<string, string>;
  problems: Problem[];
  retryAfterMs?: number;
}

/** Details that cannot be read are left out: the code and the message say enough. */
function readDetails(metadata: grpc.Metadata | undefined): Found {
  const found: Found = { metadata: {}, problems: [] };
  const trailer = metadata?.get(TRAILER)[0];
  if (!(trailer instanceof Uint8Array)) return found;
  try {
    for (const { type_url: type, value } of STATUS.decode(trailer).details) readDetail(found, type, value);
  } catch {
    return found;
  }
  return found;
}

function readDetail(found: Found, type: string, value: Buffer): void {
  if (type === `${TYPE_PREFIX}ErrorInfo`) {
    const { reason, metadata } = ERROR_INFO.decode(value);
    if (reason !== '') found.reason = reason;
    found.metadata = { ...metadata };
  } else if (type === `${TYPE_PREFIX}BadRequest`) {
    for (const { field, description, reason } of BAD_REQUEST.decode(value).fieldViolations) {
      found.problems.push({ path: field, message: description, reason: reason as ProblemReason });
    }
  } else if (type === `${TYPE_PREFIX}RetryInfo`) {
    const { retryDelay } = RETRY_INFO.decode(value);
    if (retryDelay !== null) found.retryAfterMs = retryDelay.seconds * 1000 + retryDelay.nanos / 1e6;
  }
}

function any(name: string, value: Buffer): Any {
  return { type_url: TYPE_PREFIX + name, value };
}

function foreign(error: unknown): DibsError {
  const message = error instanceof Error ? error.message : String(error);
  return Object.assign(new DibsError('INTERNAL', message, { cause: error }), {
    code: Code.UNKNOWN,
    reason: 'UNKNOWN',
  });
}
