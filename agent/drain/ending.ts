/** From how an agent came to its end to the exit code of its process; codes as in `docs` and CONVENTIONS. Pure. */
import { ExitCode } from '../../runtime/exit-codes.ts';
import type { LinkEnd } from '../link/link.ts';
import type { DrainOutcome } from './drain.ts';

export interface AgentEnd {
  readonly exitCode: ExitCode;
  /** One sentence for people. */
  readonly reason: string;
}

export function endOf(outcome: DrainOutcome, link: LinkEnd | undefined, coordinatorLost: boolean): AgentEnd {
  if (link?.kind === 'refused') {
    return {
      exitCode: ExitCode.CREDENTIAL_REFUSED,
      reason: `the coordinator refused the credential (${link.detail})`,
    };
  }
  if (coordinatorLost) return { exitCode: ExitCode.UNAVAILABLE, reason: 'no coordinator could be reached' };
  if (outcome === 'drained') return { exitCode: ExitCode.OK, reason: 'drained' };
  if (outcome === 'deadline')
    return { exitCode: ExitCode.TIMEOUT, reason: 'the drain deadline passed; jobs were handed back' };
  return { exitCode: ExitCode.INTERRUPTED, reason: 'stopped at once; jobs were handed back' };
}
