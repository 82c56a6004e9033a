/**
 * Who calls: the tenant and the right to call at all.
 *
 * Invariant: identity comes from the credential, never from a message. Without a configured token (loopback only)
 * everybody is the default tenant.
 */
import type { Metadata } from '@grpc/grpc-js';
import { bearerToken, requireToken } from '../../runtime/auth.ts';
import type { TokenCheck } from '../../runtime/auth.ts';
import { DEFAULT_TENANT } from '../tenants.ts';
import type { Tenants } from '../tenants.ts';

export interface Caller {
  readonly tenant: string;
}

/** Throws UNAUTHENTICATED when the call carries no or a wrong token. */
export type Authenticate = (metadata: Metadata) => Caller;

/** `check`: of tokens that are no tenant's own; undefined = none is needed where no tenant has one either. */
export function authenticator(check: TokenCheck | undefined, tenants: Tenants): Authenticate {
  const open: TokenCheck | undefined = check ?? (tenants.haveTokens ? () => false : undefined);
  return (metadata) => {
    const owner = tenants.haveTokens ? tenants.ownerOf(bearerToken(metadata)) : undefined;
    if (owner !== undefined) return { tenant: owner };
    requireToken(metadata, open);
    return { tenant: DEFAULT_TENANT };
  };
}
