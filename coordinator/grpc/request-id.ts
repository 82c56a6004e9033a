/** The bounds of a request id. */
import { DibsError } from '../../sdk/common/errors.ts';

/** Longest request id, characters. */
export const MAX_REQUEST_ID = 200;

export function checkRequestId(requestId: string): void {
  if (requestId.length > MAX_REQUEST_ID) {
    const message = `request_id has more than ${MAX_REQUEST_ID} characters`;
    throw new DibsError('INVALID_REQUEST', message, {
      problems: [{ path: 'request_id', reason: 'TOO_LONG', message }],
    });
  }
}
