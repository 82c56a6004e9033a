/**
 * A thread in every child that ends the child's whole process group the moment the agent is gone.
 *
 * The agent holds the other end of a pipe and never writes to it. However the agent ends, kill -9 included, the
 * kernel closes that end; this thread has an event loop of its own, so it sees the end of the pipe even while the
 * main thread is in a busy loop.
 *
 * Invariant: the group is the child's own (the host starts it detached), so nothing but it and what it started dies.
 */
import { Socket } from 'node:net';
import { workerData } from 'node:worker_threads';

const lifeline = new Socket({ fd: workerData as number, readable: true, writable: false });
lifeline.on('close', () => process.kill(-process.pid, 'SIGKILL'));
lifeline.on('error', () => lifeline.destroy());
lifeline.resume();
