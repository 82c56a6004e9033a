/**
 * Who calls: the tenant and the right to call at all.
 *
 * Invariant: identity comes from the credential, never from a message. Without a configured token (loopback only)
 * everybody is the default tenant.
 */
import type { Metadata } from '@grpc/grpc-js';
import { requireToken } from '../../runtime/auth.ts';
import type { TokenCheck } from '../../runtime/auth.ts';

/** The one tenant there is until credentials carry one. */
export const DEFAULT_TENANT = 'default';

export interface Caller {
  readonly tenant: string;
}

/** Throws UNAUTHENTICATED when the call carries no or a wrong token. */
export type Authenticate = (metadata: Metadata) => Caller;

export function authenticator(check: TokenCheck | undefined): Authenticate {
  return (metadata) => {
    requireToken(metadata, check);
    return { tenant: DEFAULT_TENANT };
  };
}
