/** `dibs artifact put|get`: files into the store and out of it. */
import { Command } from 'commander';
import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { UsageError } from './failure.ts';
import { say } from './io.ts';
import type { Io } from './io.ts';
import { withConnection, withOutput } from './options.ts';
import type { ConnectionFlags, OutputFlags } from './options.ts';
import { printOne } from './output/print.ts';
import { bytes } from './output/times.ts';
import { withClient } from './session.ts';

export function artifactCommand(io: Io): Command {
  return new Command('artifact')
    .description('content-addressed files')
    .addCommand(putCommand(io))
    .addCommand(getCommand(io));
}

function putCommand(io: Io): Command {
  const command = new Command('put')
    .description('store a file and print the reference that stands for it in inputs')
    .argument('<file>', '"-" for standard input')
    .option('--name <name>', "file name for people; default the file's own")
    .option('--media-type <type>', 'default: by the ending of the name');
  interface Flags extends ConnectionFlags, OutputFlags {
    readonly name?: string;
    readonly mediaType?: string;
  }
  return withOutput(withConnection(command), ['table', 'json', 'yaml', 'name']).action(
    (file: string, flags: Flags) =>
      withClient(io, flags, async ({ client, signal }) => {
        const source =
          file === '-'
            ? (io.stdin as Readable & AsyncIterable<Uint8Array>)
            : await readable(resolve(io.cwd, file), file);
        const reference = await client.artifacts.put(source, {
          signal,
          ...(flags.name === undefined ? {} : { name: flags.name }),
          ...(flags.mediaType === undefined ? {} : { mediaType: flags.mediaType }),
        });
        const lines = (): string[] => [JSON.stringify(reference)];
        printOne(io, flags.output, reference, { name: reference.$artifact, lines });
      }),
  );
}

function getCommand(io: Io): Command {
  const command = new Command('get')
    .description('read an artifact; its hash is checked')
    .argument('<id>', '"sha256:…", or a reference as JSON')
    .option('--out <path>', 'file or folder to write to; default standard output');
  return withConnection(command).action((id: string, flags: ConnectionFlags & { out?: string }) =>
    withClient(io, flags, async ({ client, signal }) => {
      const { $artifact, name } = referenceOf(id);
      if (flags.out === undefined) {
        await pipeline(client.artifacts.get($artifact, { signal }), io.stdout, { end: false });
        return;
      }
      const out = resolve(io.cwd, flags.out);
      const isFolder = (await stat(out).catch(() => undefined))?.isDirectory() === true;
      const path = isFolder ? join(out, basename(name || $artifact.slice('sha256:'.length, 19))) : out;
      await client.artifacts.download($artifact, path, { signal });
      say(io, `Wrote ${path} (${bytes((await stat(path)).size)}).`);
    }),
  );
}

async function readable(path: string, shown: string): Promise<string> {
  const found = await stat(path).catch((error: Error) => error);
  if (found instanceof Error) throw new UsageError(`${shown} cannot be read: ${found.message}`);
  if (!found.isFile()) throw new UsageError(`${shown} is no file.`);
  return path;
}

/** What `artifact put` printed is accepted as it is. */
function referenceOf(given: string): { $artifact: string; name: string } {
  if (!given.trimStart().startsWith('{'))
    return { $artifact: given.startsWith('sha256:') ? given : `sha256:${given}`, name: '' };
  try {
    const { $artifact, name } = JSON.parse(given) as { $artifact?: unknown; name?: unknown };
    if (typeof $artifact === 'string') return { $artifact, name: typeof name === 'string' ? name : '' };
  } catch {
    // Said below.
  }
  throw new UsageError('The reference is no JSON object with $artifact.');
}
