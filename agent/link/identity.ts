/**
 * Who this agent is: an id that outlives restarts, kept in the state directory, and one that does not.
 *
 * 1. The id file is written once and never changed; a file that is not an agent id refuses to start rather than be replaced.
 * 2. It appears whole or not at all (written beside, then renamed): an agent killed meanwhile starts again. The caller holds
 *    the lock of the state directory, so nobody else makes one.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isId, newId } from '../../runtime/ids.ts';

export interface Identity {
  readonly agentId: string;
  readonly bootId: string;
}

export async function loadIdentity(stateDir: string): Promise<Identity> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const path = join(stateDir, 'agent-id');
  const bootId = newId('boot');
  const known = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (known !== undefined) {
    const agentId = known.trim();
    if (!isId('agent', agentId))
      throw new Error(`${path} does not hold an agent id; remove it to get a new one`);
    return { agentId, bootId };
  }
  const agentId = newId('agent');
  await writeFile(`${path}.part`, `${agentId}\n`, { mode: 0o600 });
  await rename(`${path}.part`, path);
  return { agentId, bootId };
}
