/**
 * The local control socket: one line of JSON in, one line out, then it closes. Only the owner may connect.
 *
 * 1. It answers as long as the process is alive: `lock.ts` takes that as the proof.
 */
import { chmod, rm } from 'node:fs/promises';
import { createServer, connect } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { AgentSnapshot } from './snapshot.ts';

export const CONTROL_COMMANDS = ['status', 'drain', 'stop', 'pause', 'resume'] as const;
export type ControlCommand = (typeof CONTROL_COMMANDS)[number];

/** What a command does, of pause and resume with the type they are about ('' = all); each answers with the state it led to. */
export type ControlHandler = (command: ControlCommand, type: string) => AgentSnapshot;

type Answer =
  | { readonly ok: true; readonly snapshot: AgentSnapshot }
  | { readonly ok: false; readonly error: string };

const MAX_LINE = 4096;

export class ControlServer {
  readonly #path: string;
  readonly #handle: ControlHandler;
  #server: Server | undefined;

  constructor(path: string, handle: ControlHandler) {
    this.#path = path;
    this.#handle = handle;
  }

  /** The lock is held by now, so a socket file that is still there is nobody's. */
  async start(): Promise<void> {
    await rm(this.#path, { force: true });
    const server = createServer((socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#path, resolve);
    });
    if (process.platform !== 'win32') await chmod(this.#path, 0o600);
    server.unref();
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    let line = '';
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('data', (text: string) => {
      line += text;
      if (line.length > MAX_LINE) socket.destroy();
      const end = line.indexOf('\n');
      if (end >= 0) socket.end(`${JSON.stringify(this.#answer(line.slice(0, end)))}\n`);
    });
  }

  #answer(line: string): Answer {
    const [word = '', type = ''] = line.trim().split(' ', 2);
    const command = CONTROL_COMMANDS.find((known) => known === word);
    if (command === undefined) return { ok: false, error: `unknown command ${JSON.stringify(line)}` };
    try {
      return { ok: true, snapshot: this.#handle(command, type) };
    } catch (error) {
      return { ok: false, error: (error as Error).message };
    }
  }
}

/** Sends a command to the agent of a state directory; undefined = no agent answers there. */
export async function askAgent(
  path: string,
  command: ControlCommand,
  { type = '', timeoutMs = 2_000 }: { readonly type?: string; readonly timeoutMs?: number } = {},
): Promise<AgentSnapshot | undefined> {
  const text = await new Promise<string | undefined>((resolve) => {
    const socket = connect(path);
    let received = '';
    socket.setEncoding('utf8');
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.on('connect', () => socket.write(`${command}${type === '' ? '' : ` ${type}`}\n`));
    socket.on('data', (chunk: string) => (received += chunk));
    socket.on('error', () => resolve(undefined));
    socket.on('close', () => resolve(received === '' ? undefined : received));
  });
  if (text === undefined) return undefined;
  const answer = JSON.parse(text) as Answer;
  if (!answer.ok) throw new Error(answer.error);
  return answer.snapshot;
}
