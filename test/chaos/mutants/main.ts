/** `npm run chaos -- --mutants [--only TEXT] [-o json]`: exit code 0 only when every planted bug was caught. */
import { parseArgs } from 'node:util';
import { runMutants } from './run.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    output: { type: 'string', short: 'o', default: 'table' },
  },
});
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());

const caughtAll = await runMutants({
  say: (line) => void process.stderr.write(`${line}\n`),
  json: values.output === 'json',
  signal: stop.signal,
  only: values.only,
});
process.exitCode = caughtAll ? 0 : 1;
