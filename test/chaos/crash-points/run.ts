/**
 * `node test/chaos/crash-points/run.ts [-o json] [--only text] [--short]`: every crash point in turn.
 *
 * A table goes to standard error, the last line of standard output is `{"covered", "total", "failed"}`. Ends with 0 only
 * when all points were covered and nothing was found.
 */
import { parseArgs } from 'node:util';
import { runCrashPoints } from './crash-points.ts';

const { values } = parseArgs({
  options: {
    output: { type: 'string', short: 'o', default: 'table' },
    only: { type: 'string' },
    short: { type: 'boolean', default: false },
  },
});

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());

const result = await runCrashPoints({
  short: values.short,
  signal: stop.signal,
  ...(values.only === undefined ? {} : { only: values.only }),
  say: (line) => void process.stderr.write(`${line}\n`),
});
const { covered, total, failed } = result;
process.stderr.write(`Crash points: ${covered} / ${total} covered, ${failed.length} failed.\n`);
if (values.output === 'json') process.stdout.write(`${JSON.stringify({ covered, total, failed })}\n`);
else process.stdout.write(`${covered} / ${total}\n`);
process.exit(covered === total && failed.length === 0 ? 0 : 1);
