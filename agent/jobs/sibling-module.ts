/** Where a file beside this one lies, for code that starts it as a process or thread: `.ts` here, `.js` when built. */
import { fileURLToPath } from 'node:url';

export function siblingModule(name: string): string {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return fileURLToPath(new URL(`./${name}${extension}`, import.meta.url));
}
