/**
 * The error catalogue: stable reason → gRPC status → HTTP status.
 *
 * Invariant: a reason, once released, keeps its name and its meaning.
 */

/** gRPC status codes, by their canonical names. */
export const Code = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

export type CodeName = keyof typeof Code;

interface CatalogueEntry {
  readonly code: CodeName;
  readonly http: number;
  readonly meaning: string;
}

/** Every reason a call can be refused with. */
export const ERRORS = {
  INVALID_WORKFLOW: {
    code: 'INVALID_ARGUMENT',
    http: 400,
    meaning: 'The workflow has mistakes; all of them are listed.',
  },
  INVALID_REQUEST: { code: 'INVALID_ARGUMENT', http: 400, meaning: 'A field of the request is malformed.' },
  UNAUTHENTICATED: {
    code: 'UNAUTHENTICATED',
    http: 401,
    meaning: 'No credential, or one that is wrong or expired.',
  },
  PERMISSION_DENIED: { code: 'PERMISSION_DENIED', http: 403, meaning: 'The role lacks the right.' },
  WORKFLOW_NOT_FOUND: { code: 'NOT_FOUND', http: 404, meaning: 'No such workflow for this tenant.' },
  JOB_NOT_FOUND: { code: 'NOT_FOUND', http: 404, meaning: 'No such job.' },
  AGENT_NOT_FOUND: { code: 'NOT_FOUND', http: 404, meaning: 'The fleet knows no such agent.' },
  QUEUE_NOT_FOUND: { code: 'NOT_FOUND', http: 404, meaning: 'No such queue, and no such step type.' },
  ARTIFACT_NOT_FOUND: { code: 'NOT_FOUND', http: 404, meaning: 'No such artifact for this tenant.' },
  IDEMPOTENCY_KEY_REUSED: {
    code: 'ALREADY_EXISTS',
    http: 409,
    meaning: 'The request id was used with another body.',
  },
  LEASE_LOST: { code: 'FAILED_PRECONDITION', http: 409, meaning: 'The fencing token is not the live one.' },
  WRONG_STATE: {
    code: 'FAILED_PRECONDITION',
    http: 409,
    meaning: 'The thing is in a state that does not allow this.',
  },
  VERSION_CONFLICT: { code: 'ABORTED', http: 409, meaning: 'Somebody else changed it first.' },
  CURSOR_EXPIRED: { code: 'OUT_OF_RANGE', http: 410, meaning: 'The cursor lies beyond what is kept.' },
  INPUT_TOO_LARGE: {
    code: 'RESOURCE_EXHAUSTED',
    http: 413,
    meaning: 'Inline JSON is too large; pass an artifact.',
  },
  ARTIFACT_TOO_LARGE: {
    code: 'RESOURCE_EXHAUSTED',
    http: 413,
    meaning: 'The artifact is larger than the store takes.',
  },
  ARTIFACT_MISMATCH: {
    code: 'INVALID_ARGUMENT',
    http: 400,
    meaning: 'The bytes do not match the announced hash or size.',
  },
  STORE_FULL: {
    code: 'RESOURCE_EXHAUSTED',
    http: 429,
    meaning: 'The store has no memory or disk left for new work.',
  },
  STORE_UNAVAILABLE: { code: 'UNAVAILABLE', http: 503, meaning: 'Redis is down or loading.' },
  SLOW_READER: {
    code: 'UNAVAILABLE',
    http: 503,
    meaning: 'The stream was not read for too long and ends; open another and go on where it ended.',
  },
  DRAINING: { code: 'UNAVAILABLE', http: 503, meaning: 'This coordinator is leaving; ask another.' },
  PROTOCOL_VIOLATION: {
    code: 'INVALID_ARGUMENT',
    http: 400,
    meaning: 'The stream does not follow the protocol.',
  },
  INTERNAL: {
    code: 'INTERNAL',
    http: 500,
    meaning: 'A bug of Dibs; the correlation id finds it in the log.',
  },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorReason = keyof typeof ERRORS;

/** Domain of `google.rpc.ErrorInfo`. */
export const ERROR_DOMAIN = 'dibs.v1';

/** One mistake in a request, with the place it is at. */
export interface Problem {
  /** For example `steps[1].input.image.$ref`. */
  readonly path: string;
  /** Stable UPPER_SNAKE code. */
  readonly reason: ProblemReason;
  readonly message: string;
}

/** What can be wrong at one place of a workflow. */
export const PROBLEM_REASONS = [
  'REQUIRED',
  'INVALID_VALUE',
  'INVALID_JSON',
  'OUT_OF_RANGE',
  'TOO_LONG',
  'TOO_MANY',
  'TOO_DEEP',
  'INPUT_TOO_LARGE',
  'DUPLICATE_NAME',
  'UNKNOWN_STEP_TYPE',
  'UNKNOWN_REF',
  'UNKNOWN_DEPENDENCY',
  'FORBIDDEN_PATH',
  'INVALID_PATH',
  'DAG_CYCLE',
] as const;
export type ProblemReason = (typeof PROBLEM_REASONS)[number];

/** An expected refusal: data that travels to the caller, never a bug. */
export class DibsError extends Error {
  readonly reason: string;
  readonly code: number;
  readonly problems: readonly Problem[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Milliseconds after which a repeat may succeed; undefined = no hint. */
  readonly retryAfterMs: number | undefined;

  constructor(
    reason: ErrorReason,
    message: string,
    extra: {
      problems?: readonly Problem[];
      metadata?: Record<string, string>;
      retryAfterMs?: number;
      cause?: unknown;
    } = {},
  ) {
    super(message, extra.cause === undefined ? undefined : { cause: extra.cause });
    this.name = 'DibsError';
    this.reason = reason;
    this.code = Code[ERRORS[reason].code];
    this.problems = extra.problems ?? [];
    this.metadata = extra.metadata ?? {};
    this.retryAfterMs = extra.retryAfterMs;
  }
}
