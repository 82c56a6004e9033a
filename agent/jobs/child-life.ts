/** What every child of the host does about its own end. Imported first, before any executor's code. */
import { Worker } from 'node:worker_threads';
import { siblingModule } from './sibling-module.ts';

/** Number of the pipe whose end means that the agent is gone. */
export const LIFELINE_FD = 4;

/** Ends this process and all it started as soon as the agent is gone. */
export function dieWithParent(): void {
  new Worker(siblingModule('parent-watch'), { workerData: LIFELINE_FD, env: {}, stdin: false }).unref();
  process.on('disconnect', () => process.kill(-process.pid, 'SIGKILL'));
}
