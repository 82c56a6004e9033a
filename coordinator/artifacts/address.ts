/** Ids of artifacts and the files they name. Pure. The only way from an id to a path, so no id can lead outside. */
import { join } from 'node:path';
import { DibsError } from '../../sdk/common/errors.ts';

const ID = /^sha256:([0-9a-f]{64})$/;
const MAX_NAME_CHARS = 255;

export function idOfDigest(hex: string): string {
  return `sha256:${hex}`;
}

/** `<folder>/<first two digits>/<digits>`; throws INVALID_REQUEST on what is no id. */
export function pathOfId(folder: string, id: string): string {
  const hex = ID.exec(id)?.[1];
  if (hex === undefined)
    throw new DibsError('INVALID_REQUEST', 'An artifact id is "sha256:" and 64 lower-case hex digits.');
  return join(folder, hex.slice(0, 2), hex);
}

/** The file name a person gave, without folders and control characters; what it is used for is shown, never opened. */
export function tidyName(name: string): string {
  const last = name.split(/[/\\]/).at(-1) ?? '';
  return last.replace(/\p{Cc}/gu, '').slice(0, MAX_NAME_CHARS);
}
