/** Hash slots of Redis Cluster, and tags that spread cells evenly over them. */

/** CRC16 (XModem) of a key's tag, modulo 16,384. */
export function slotOf(tag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    crc &= 0xffff;
  }
  return crc % 16_384;
}

/** Tag of cell `index` of `count`: the first whose slot lies in that cell's share of the slots. */
export function cellTag(index: number, count: number): string {
  const from = Math.floor((index * 16_384) / count);
  const to = Math.floor(((index + 1) * 16_384) / count);
  for (let salt = 0; ; salt++) {
    const tag = `c${index}.${salt.toString(36)}`;
    const slot = slotOf(tag);
    if (slot >= from && slot < to) return tag;
  }
}
