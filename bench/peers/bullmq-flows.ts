/** The trees of BullMQ jobs of the scenarios that have some: children run before their parents. */
import type { FlowJob } from 'bullmq';
import { ITEM_BYTES, inputOf } from '../support/payload.ts';
import { FAN_IN } from '../throughput/workloads.ts';

/** Roots have a queue of their own, so that the submitter hears of them alone. */
export function rootOf(queue: string): string {
  return `${queue}-root`;
}

export function middleOf(queue: string): string {
  return `${queue}-middle`;
}

export function chainOf(queue: string, n: number): FlowJob {
  const first = { name: 'a', queueName: queue, data: inputOf(n) };
  const second = { name: 'b', queueName: middleOf(queue), data: {}, children: [first] };
  return { name: 'c', queueName: rootOf(queue), data: {}, children: [second] };
}

export function fanOf(queue: string, n: number): FlowJob {
  const children = Array.from({ length: FAN_IN }, (_, part) => ({
    name: 'part',
    queueName: queue,
    data: inputOf(part, ITEM_BYTES),
  }));
  return { name: 'all', queueName: rootOf(queue), data: { n }, children };
}
