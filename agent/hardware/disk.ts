/** Free space where jobs work: of the file system that holds the given folder. */
import { statfs } from 'node:fs/promises';

export interface Disk {
  readonly freeBytes: number;
}

export async function probeDisk(folder: string): Promise<Disk> {
  const { bavail, bsize } = await statfs(folder);
  return { freeBytes: bavail * bsize };
}
