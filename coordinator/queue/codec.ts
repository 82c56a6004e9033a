/**
 * msgpack as the scripts speak it.
 *
 * Lua's cmsgpack knows no bin type: binary blobs (plans) travel as separate arguments, everything else is arrays,
 * numbers, booleans and UTF-8 strings. Replies may be msgpack sequences (several values in a row).
 */
import { Packr, Unpackr } from 'msgpackr';

const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number', mapsAsObjects: true });

/** A fresh buffer; safe to keep. */
export function pack(value: unknown): Buffer {
  return packr.pack(value);
}

export function unpack<T>(bytes: Buffer): T {
  return unpackr.unpack(bytes) as T;
}

/** Every value of a msgpack sequence, in order. */
export function unpackSequence(bytes: Buffer): unknown[] {
  return (unpackr.unpackMultiple(bytes) as unknown[] | undefined) ?? [];
}
