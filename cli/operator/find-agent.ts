/** Turns what a person typed into an agent: its id, or a name that one agent alone has. */
import { Code, DibsError } from '../../sdk/client/index.ts';
import type { AgentView } from '../../sdk/client/index.ts';
import { NotFoundError, UsageError } from '../failure.ts';
import type { Session } from '../session.ts';

const SHOWN = 5;

export async function findAgent({ client, signal }: Session, typed: string): Promise<AgentView> {
  try {
    return await client.getAgent(typed, { signal });
  } catch (error) {
    if (!(error instanceof DibsError && error.code === Code.NOT_FOUND)) throw error;
  }
  const found: AgentView[] = [];
  for await (const agent of client.agents({ signal })) if (agent.name === typed) found.push(agent);
  const [only, ...others] = found;
  if (only === undefined) throw new NotFoundError(`There is no agent "${typed}".`);
  if (others.length > 0) {
    const ids = found.slice(0, SHOWN).map(({ id }) => id);
    const more = found.length > SHOWN ? `, and ${found.length - SHOWN} more` : '';
    throw new UsageError(`${found.length} agents are named "${typed}": ${ids.join(', ')}${more}.`);
  }
  return only;
}
