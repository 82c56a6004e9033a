/** What the demo is told, checked before anything is started. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import sharp from 'sharp';

export interface DemoOptions {
  /** Undefined = the sample photo. */
  readonly image?: string;
  /** Undefined = the sample text. */
  readonly text?: string;
  readonly out: string;
  readonly output: 'text' | 'json';
  readonly parts: number;
  readonly factor: number;
  readonly verbose?: boolean;
}

/** A mistake of the caller: the program ends with 2. */
export class DemoUsageError extends Error {
  readonly exitCode = 2;
}

/** Throws a CommanderError after `--help` or a wrong flag. */
export function parseOptions(args: readonly string[]): DemoOptions {
  const program = new Command('npm run demo --')
    .description(
      'Two workflows on three agents: a photo enlarged in eight parts, and a long text counted in parallel.',
    )
    .option('--image <file>', 'photo to enlarge; default a landscape that is drawn for the purpose')
    .option('--text <file>', 'text to count; default six megabytes of made-up prose')
    .option('--out <folder>', 'where results go', 'demo-output')
    .addOption(
      new Option('--factor <n>', 'how much the photo is enlarged').argParser(numberFrom(2, 8)).default(3),
    )
    .addOption(
      new Option('--parts <n>', 'parts the text is split into').argParser(numberFrom(1, 1_000)).default(8),
    )
    .addOption(
      new Option('-o, --output <format>', 'json: one object as the last line')
        .choices(['text', 'json'])
        .default('text'),
    )
    .option('--verbose', 'show what the coordinator and the agents log')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'demo: ')) });
  program.parse([...args], { from: 'user' });
  const options = program.opts<DemoOptions>();
  return {
    ...options,
    out: resolve(options.out),
    ...(options.image === undefined ? {} : { image: resolve(options.image) }),
    ...(options.text === undefined ? {} : { text: resolve(options.text) }),
  };
}

/** Throws a DemoUsageError with a sentence for people. */
export async function checkFiles({ image, text }: DemoOptions): Promise<void> {
  for (const path of [image, text]) {
    if (path === undefined) continue;
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) throw new DemoUsageError(`There is no file ${path}.`);
    if (!found.isFile()) throw new DemoUsageError(`${path} is not a file.`);
    if (found.size === 0) throw new DemoUsageError(`${path} is empty.`);
  }
  if (image === undefined) return;
  await sharp(image)
    .metadata()
    .catch((error: Error) => {
      throw new DemoUsageError(`${image} is not an image that can be read: ${error.message}`);
    });
}

function numberFrom(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It is no whole number from ${min} to ${max}.`);
  };
}
