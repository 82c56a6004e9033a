/**
 * A protobufjs reader that gives 64-bit integers as JavaScript numbers.
 *
 * Why not `protobuf.util.Long = null`: that switch is global, and with it every later load of a .proto that has a
 * 64-bit field throws (Field.resolve calls util.Long), which would take @grpc/reflection and health with it.
 * A generated decoder keeps a reader that is already an instance of Reader, so handing it this one is enough.
 *
 * Invariant: exact up to 2^53 in absolute value; larger values lose their low bits (ours are times and counters).
 */
import protobuf from 'protobufjs';

const TWO_32 = 4294967296;

/** The base class is declared to return Long; what leaves here is a number. */
type Declared = ReturnType<protobuf.BufferReader['uint64']>;

export class NumberReader extends protobuf.BufferReader {
  override uint64(): Declared {
    return this.#varint(false) as unknown as Declared;
  }

  override int64(): Declared {
    return this.#varint(true) as unknown as Declared;
  }

  override sint64(): Declared {
    return toNumber(super.sint64());
  }

  override fixed64(): Declared {
    return toNumber(super.fixed64());
  }

  override sfixed64(): Declared {
    return toNumber(super.sfixed64());
  }

  #varint(signed: boolean): number {
    let low = 0;
    let high = 0;
    for (let index = 0; index < 10; index += 1) {
      if (this.pos >= this.len) throw new RangeError(`index out of range: ${this.pos} + 1 > ${this.len}`);
      const byte = this.buf[this.pos++] as number;
      const bits = byte & 127;
      if (index < 4) low = (low | (bits << (index * 7))) >>> 0;
      else if (index === 4) {
        low = (low | (bits << 28)) >>> 0;
        high = bits >>> 4;
      } else high = (high | (bits << (index * 7 - 32))) >>> 0;
      if (byte < 128) return (signed ? high | 0 : high) * TWO_32 + low;
    }
    throw new Error('invalid varint encoding');
  }
}

function toNumber({ low, high, unsigned }: Declared): Declared {
  return ((unsigned ? high >>> 0 : high) * TWO_32 + (low >>> 0)) as unknown as Declared;
}
