/**
 * Whether an offer is taken: a chain of named links, each of which lets it pass or says why not.
 *
 * 1. The first link that refuses decides; its reason travels to the coordinator and into the log.
 * 2. Links look and do not touch: holding the slot is the caller's next step.
 */
import type { Offer } from '../link/wire.ts';
import type { Slots } from './slots.ts';

/** What the links may look at. */
export interface AdmissionView {
  readonly slots: Slots;
  /** Why no work is taken at all; undefined = open. */
  readonly closed: 'draining' | 'paused' | undefined;
  /** Too many results wait for the coordinator. */
  readonly resultsFull: boolean;
}

export interface Refusal {
  /** UPPER_SNAKE, as in `JobRelease.reason`. */
  readonly reason: string;
  readonly message: string;
}

interface AdmissionLink {
  readonly name: string;
  check(offer: Offer, view: AdmissionView): Refusal | undefined;
}

const CLOSED = {
  draining: { reason: 'DRAINING', message: 'The agent finishes what it has and leaves.' },
  paused: { reason: 'PAUSED', message: 'The agent is paused.' },
} as const satisfies Record<string, Refusal>;

export const ADMISSION: readonly AdmissionLink[] = [
  { name: 'open', check: (_offer, view) => (view.closed === undefined ? undefined : CLOSED[view.closed]) },
  {
    name: 'known-type',
    check: (offer, view) =>
      view.slots.knows(offer.type)
        ? undefined
        : { reason: 'UNKNOWN_TYPE', message: `This agent has no executor for ${offer.type}.` },
  },
  {
    name: 'results-bounded',
    check: (_offer, view) =>
      view.resultsFull
        ? { reason: 'TOO_MANY_UNACKNOWLEDGED', message: 'Too many results wait to be acknowledged.' }
        : undefined,
  },
  {
    name: 'type-open',
    check: (offer, view) =>
      view.slots.isPaused(offer.type)
        ? { reason: 'TYPE_PAUSED', message: `The owner has paused ${offer.type}.` }
        : undefined,
  },
  {
    name: 'memory',
    check: (offer, view) => {
      switch (view.slots.lacks(offer.type)) {
        case undefined:
          return undefined;
        case 'vram':
          return { reason: 'NO_VRAM', message: `No GPU has memory left for another ${offer.type}.` };
        case 'memory':
          return { reason: 'NO_MEMORY', message: `No memory is left for another ${offer.type}.` };
      }
    },
  },
  {
    name: 'room',
    check: (offer, view) =>
      view.slots.admits(offer.type)
        ? undefined
        : { reason: 'NO_SLOT', message: `No slot and no place in the queue for another ${offer.type}.` },
  },
];

/** Undefined = admitted. */
export function admit(offer: Offer, view: AdmissionView): Refusal | undefined {
  for (const link of ADMISSION) {
    const refusal = link.check(offer, view);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}
