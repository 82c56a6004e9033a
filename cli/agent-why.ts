/** Asks an agent's coordinator why the agent gets nothing. Apart, because gRPC takes half a second to load. */
import type { AgentConfig } from '../agent/config.ts';
import { createClient } from '../sdk/client/index.ts';
import type { AgentExplanation } from '../sdk/client/index.ts';
import { readFileSync } from 'node:fs';

const TIMEOUT_MS = 10_000;

export async function explainOwnAgent(
  { token, tls }: Pick<AgentConfig, 'token' | 'tls'>,
  address: string,
  agentId: string,
): Promise<AgentExplanation> {
  const secret = token.file === '' ? token.token : readFileSync(token.file, 'utf8').trim();
  const secure = tls.ca === '' ? (tls.enabled ? true : undefined) : { ca: readFileSync(tls.ca, 'utf8') };
  using client = createClient({
    address,
    ...(secret === '' ? {} : { token: secret }),
    ...(secure === undefined ? {} : { tls: secure }),
  });
  return await client.explainAgent(agentId, { timeoutMs: TIMEOUT_MS });
}
