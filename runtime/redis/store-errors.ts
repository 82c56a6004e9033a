/**
 * Turns what ioredis and Redis throw into the refusals of the catalogue, and says which may be repeated.
 *
 * Invariant: only errors after which a repeat may succeed without anybody's help become STORE_UNAVAILABLE; errors of our
 * own making (a wrong script, a wrong type) stay what they are and end as INTERNAL.
 */
import { DibsError } from '../../sdk/common/errors.ts';

/** Redis' own words for "not now". MASTERDOWN, READONLY: a failover is under way;
 * a non local key: the cell's slot is on its way to another node. */
const NOT_NOW =
  /^(LOADING|BUSY |MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|UNBLOCKED|ERR max number of clients|ERR Script attempted to access a non local key)/;
/** ioredis' words for a connection that is not there, or ended under a command. */
const NO_CONNECTION =
  /^(Connection is closed|Command timed out|Stream isn't writeable|Cluster isn't ready|Cluster is (ended|disconnect)|Reached the max retries|Failed to refresh slots cache|None of startup nodes|Command aborted|connect ETIMEDOUT|All sentinels are unreachable|Too many Cluster redirections)/;
const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

export type StoreFailure = 'unavailable' | 'full' | 'other';

export function storeFailure(error: unknown): StoreFailure {
  if (!(error instanceof Error)) return 'other';
  // Scripts prefix what a command inside of them answered.
  const message = error.message.replace(/^ERR Error running script.*?: /, '');
  // It cannot write its files, nearly always because the disk is full; nothing is taken until that is mended.
  if (/^OOM |^-?OOM command not allowed|^MISCONF /.test(message)) return 'full';
  if (NOT_NOW.test(message) || NO_CONNECTION.test(message)) return 'unavailable';
  const { code, syscall } = error as NodeJS.ErrnoException;
  // A file that is missing is no socket that is missing.
  if (code === 'ENOENT' && syscall !== 'connect') return 'other';
  return code !== undefined && SOCKET_CODES.has(code) ? 'unavailable' : 'other';
}

/** The refusal for callers; anything else is returned as it is. */
export function asStoreError(error: unknown): unknown {
  const failure = storeFailure(error);
  if (failure === 'unavailable') {
    return new DibsError('STORE_UNAVAILABLE', 'Redis does not answer at the moment.', {
      retryAfterMs: 1_000,
      cause: error,
    });
  }
  if (failure === 'full') {
    return new DibsError('STORE_FULL', 'Redis has no memory or disk left for new work.', {
      retryAfterMs: 5_000,
      cause: error,
    });
  }
  return error;
}
