/**
 * The process between a Dibs process and its private redis-server, so that Redis never outlives Dibs.
 *
 * It waits for the end of its stdin, a pipe whose other end only the parent holds: the kernel closes it however the
 * parent ends, kill -9 included. Numbered rules:
 *   1. The folder's lock is taken before the server starts and left after it has ended.
 *   2. End of stdin → SIGTERM (Redis flushes its append-only file) → SIGKILL after the grace time.
 *   3. It ends when the server ends, with the server's exit code.
 *   4. It and the server are a session of their own: Ctrl-C in a terminal reaches Dibs only, which stops them last.
 *   5. First line on stdout: the server's pid, for a parent whose guard was killed.
 *
 * Run as: node guard.ts <lock file> <grace ms> <server> <args…>. Imports nothing but Node and its sibling.
 */
import { spawn } from 'node:child_process';
import { leaveFolder, shareFolder, takeFolder } from './folder-lock.ts';

const [lockFile = '', graceMs = '10000', program = '', ...args] = process.argv.slice(2);
const self = { pid: process.pid, program: 'guard' };

try {
  takeFolder(lockFile, self);
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
process.stdin.on('end', stop).on('error', stop).resume();

const server = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
let stopping = false;

server.on('error', (error) => {
  console.error(`${program} could not be started: ${error.message}`);
  finish(1);
});
server.on('exit', (code, signal) => finish(code ?? (signal === null ? 1 : 128)));
if (server.pid !== undefined) {
  shareFolder(lockFile, [self, { pid: server.pid, program: 'server' }]);
  // The parent may be gone already; the end of stdin says so.
  process.stdout.on('error', () => undefined);
  process.stdout.write(`${server.pid}\n`);
}

function stop(): void {
  if (stopping) return;
  stopping = true;
  server.kill('SIGTERM');
  setTimeout(() => server.kill('SIGKILL'), Number(graceMs)).unref();
}

function finish(code: number): void {
  leaveFolder(lockFile);
  process.exit(code);
}
