/** Streams for a command run in the test's own process, and what it wrote to them. */
import { PassThrough, Readable } from 'node:stream';
import type { Io } from '../../cli/io.ts';

export interface FakeIo extends Io {
  readonly out: () => string;
  readonly err: () => string;
}

export interface FakeIoOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Standard error is a terminal of 80 columns. */
  readonly live?: boolean;
  readonly interrupted?: AbortSignal;
}

export function fakeIo(options: FakeIoOptions = {}): FakeIo {
  const {
    stdin = '',
    env = {},
    cwd = process.cwd(),
    live = false,
    interrupted = new AbortController().signal,
  } = options;
  const out = new Collected();
  const err = new Collected();
  return {
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout: out,
    stderr: err,
    env,
    cwd,
    live,
    columns: () => 80,
    color: { stdout: false, stderr: false },
    interrupted,
    out: () => out.text,
    err: () => err.text,
  };
}

class Collected extends PassThrough {
  text = '';

  constructor() {
    super();
    this.on('data', (data: Buffer) => (this.text += data.toString()));
  }
}
