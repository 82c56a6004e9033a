/**
 * V8 profiles of the roles: gives the files the names of their roles, and says on standard error where the time went.
 *
 * Node names a profile CPU.<date>.<time>.<pid>.<thread>.<sequence>.cpuprofile.
 */
import { readFile, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';

const TOP = 12;
/** Most that one sample counts for, microseconds: a longer gap means that the thread was not running. */
const MAX_SAMPLE_US = 2500;
const NAME = /^CPU\.\d+\.\d+\.(\d+)\.(\d+)\.\d+\.cpuprofile$/;

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export async function nameProfiles(folder: string, roles: ReadonlyMap<number, string>): Promise<void> {
  for (const file of (await readdir(folder)).toSorted()) {
    const [, pid, thread] = NAME.exec(file) ?? [];
    const role = roles.get(Number(pid));
    if (role === undefined) continue;
    const named = `${role}-${pid}-${thread}.cpuprofile`;
    await rename(join(folder, file), join(folder, named));
    const profile = JSON.parse(await readFile(join(folder, named), 'utf8')) as Profile;
    process.stderr.write(`\n${named}\n${topOf(profile).join('\n')}\n`);
  }
}

/** Self time by function, largest first, idle time left out of the shares. */
export function topOf({ nodes, samples, timeDeltas }: Profile, count: number = TOP): string[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const self = new Map<string, number>();
  let busy = 0;
  samples.forEach((id, index) => {
    const frame = names.get(id);
    const name = frame?.functionName ?? '';
    if (name === '(idle)' || name === '(root)') return;
    const place =
      frame === undefined || frame.url === '' ? '' : ` ${shortUrl(frame.url)}:${frame.lineNumber + 1}`;
    const key = `${name === '' ? '(anonymous)' : name}${place}`;
    const us = Math.min(timeDeltas[index] ?? 0, MAX_SAMPLE_US);
    busy += us;
    self.set(key, (self.get(key) ?? 0) + us);
  });
  return [...self]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([key, us]) => `  ${((us / busy) * 100).toFixed(1).padStart(5)} %  ${key}`);
}

function shortUrl(url: string): string {
  return url.split('/').slice(-3).join('/');
}
