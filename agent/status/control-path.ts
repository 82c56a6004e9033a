/** Where the control socket of a state directory is: in it, or, where its name would be too long, in the temp folder. */
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The kernel takes 107 bytes on Linux, 103 on macOS. */
const MAX_SOCKET_PATH = 100;

export function controlPath(stateDir: string): string {
  if (process.platform === 'win32') return `\\\\.\\pipe\\dibs-agent-${digest(stateDir)}`;
  const path = join(stateDir, 'agent.sock');
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH
    ? path
    : join(tmpdir(), `dibs-agent-${digest(stateDir)}.sock`);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
