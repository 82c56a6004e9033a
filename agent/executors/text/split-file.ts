/**
 * Cuts a file into parts of about the same size, each cut right after a white-space byte.
 *
 * Invariants:
 * 1. The parts joined in order are the file, byte for byte.
 * 2. No word lies in two parts (see `word-count.ts`).
 * 3. There are between 1 and `parts` parts and none is empty unless the file is.
 * 4. Memory is bounded by the read buffer.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { isSpace } from './word-count.ts';

const BUFFER_BYTES = 64 * 1024;

export interface Cut {
  readonly from: number;
  /** First byte that is not part of it. */
  readonly to: number;
}

export async function findCuts(path: string, parts: number): Promise<Cut[]> {
  const file = await open(path);
  try {
    return await cutsIn(file, parts);
  } finally {
    await file.close();
  }
}

async function cutsIn(file: FileHandle, parts: number): Promise<Cut[]> {
  const { size } = await file.stat();
  const buffer = Buffer.alloc(BUFFER_BYTES);

  /** First place at or after `wanted` that follows a white-space byte, or the end. */
  const cutAfter = async (wanted: number): Promise<number> => {
    for (let at = wanted - 1; at < size;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) break;
      const space = buffer.subarray(0, bytesRead).findIndex(isSpace);
      if (space !== -1) return at + space + 1;
      at += bytesRead;
    }
    return size;
  };

  const cuts: Cut[] = [];
  let from = 0;
  for (let part = 1; part < parts && from < size; part++) {
    const wanted = Math.round((size * part) / parts);
    // A long word may have swallowed the places of several parts.
    if (wanted <= from) continue;
    const to = await cutAfter(wanted);
    cuts.push({ from, to });
    from = to;
  }
  if (from < size || cuts.length === 0) cuts.push({ from, to: size });
  return cuts;
}
