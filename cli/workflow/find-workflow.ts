/**
 * Turns what a person typed into a workflow's id: the whole id, or an unambiguous beginning with or without `wf_`.
 *
 * The whole id costs one call. A beginning is looked up among the newest workflows only.
 */
import { Code, DibsError } from '../../sdk/client/index.ts';
import type { GetOptions, WorkflowView } from '../../sdk/client/index.ts';
import { NotFoundError, UsageError } from '../failure.ts';
import type { Session } from '../session.ts';

const SEARCHED = 10_000;
const SHOWN = 5;

export async function findWorkflow(
  { client, signal }: Session,
  typed: string,
  options: Omit<GetOptions, 'signal'> = {},
): Promise<WorkflowView> {
  try {
    return await client.get(typed, { ...options, signal });
  } catch (error) {
    const unknown =
      error instanceof DibsError && (error.code === Code.NOT_FOUND || error.code === Code.INVALID_ARGUMENT);
    if (!unknown) throw error;
  }
  const prefix = typed.startsWith('wf_') ? typed : `wf_${typed}`;
  const found: string[] = [];
  let searched = 0;
  for await (const { id } of client.list({ pageSize: 1_000, signal })) {
    if (id.startsWith(prefix)) found.push(id);
    if (++searched >= SEARCHED) break;
  }
  const [only, ...others] = found;
  if (only === undefined) throw new NotFoundError(`There is no workflow "${typed}".`);
  if (others.length > 0) {
    const more = found.length > SHOWN ? `, and ${found.length - SHOWN} more` : '';
    throw new UsageError(
      `"${typed}" is the beginning of ${found.length} workflows: ${found.slice(0, SHOWN).join(', ')}${more}.`,
    );
  }
  return client.get(only, { ...options, signal });
}
