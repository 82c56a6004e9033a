/**
 * Loaded before the program of a child (`node --import lifeline.ts …`): the child ends when its parent is gone.
 *
 * The parent holds the other end of the child's standard input and never writes to it; the kernel closes it however the
 * parent ends, kill -9 included. Then: drain, hurry, and at last the hard way, in quick succession: the coordinator and
 * Redis end at the same moment, so there is nobody left to hand anything to.
 */
import { isMainThread } from 'node:worker_threads';

const HURRY_MS = 300;
const KILL_MS = 2_000;

if (isMainThread) {
  const leave = (): void => {
    process.kill(process.pid, 'SIGTERM');
    setTimeout(() => process.kill(process.pid, 'SIGTERM'), HURRY_MS).unref();
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), KILL_MS).unref();
  };
  process.stdin
    .once('close', leave)
    .on('error', () => undefined)
    .resume();
  // The lifeline alone does not keep the child running.
  (process.stdin as Partial<{ unref: () => void }>).unref?.();
}
