/**
 * What a coordinator says, handed to whom it concerns.
 *
 * 1. Acks before cancels before offers: room is made before it is filled.
 */
import type { HostLog as Log } from '../jobs/log.ts';
import type { CancelJob, CompletionAck, Control, Down, EmitAck, Offer, PreloadHint } from './wire.ts';

export interface Inbound {
  acks(acks: readonly CompletionAck[]): void;
  emitAcks(acks: readonly EmitAck[]): void;
  cancels(cancels: readonly CancelJob[]): void;
  offers(offers: readonly Offer[]): void;
  preloads(hints: readonly PreloadHint[]): void;
  pause(paused: boolean): void;
  drain(reason: string): void;
}

export function dispatch(down: Down, to: Inbound, log: Log): void {
  if (down.acks.length > 0) to.acks(down.acks);
  if (down.emitAcks.length > 0) to.emitAcks(down.emitAcks);
  if (down.cancels.length > 0) to.cancels(down.cancels);
  if (down.offers.length > 0) to.offers(down.offers);
  if (down.preloads.length > 0) to.preloads(down.preloads);
  if (down.control !== null) control(down.control, to, log);
}

function control({ action, note }: Control, to: Inbound, log: Log): void {
  log.info({ action, note }, 'an operator says');
  if (action === 'pause' || action === 'resume') to.pause(action === 'pause');
  else if (action === 'drain') to.drain(note === '' ? 'an operator asked for it' : note);
  else log.warn({ action }, 'this agent does not know that action; it is ignored');
}
