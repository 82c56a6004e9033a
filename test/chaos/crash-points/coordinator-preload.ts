/**
 * Loaded into a coordinator before its own modules (`node --import`): watches every write to Redis and kills the process
 * at the armed one. The coordinator knows nothing of it.
 *
 * CRASH_REPORT names the file to report to, CRASH_POINT the point that is armed from the start; later ones come as
 * messages `{"arm": "before decide:end"}` from the parent and are answered with `{"armed": …}`.
 */
import { flushCompileCache } from 'node:module';
import { Redis } from 'ioredis';
import type { Command } from 'ioredis';
import { armedBy } from './points.ts';
import { Report, dieWithParent } from './report.ts';
import { writeOf } from './writes.ts';

type Send = typeof Redis.prototype.sendCommand;

const report = new Report(process.env['CRASH_REPORT'] as string);
let armed = armedBy(process.env['CRASH_POINT']);

process.on('message', ({ arm }: { arm: string }) => {
  armed = armedBy(arm);
  // Who is killed leaves no compiled code behind for the next start.
  flushCompileCache();
  process.send?.({ armed: arm });
});
dieWithParent();

const send: Send = Redis.prototype.sendCommand;

Redis.prototype.sendCommand = function sendCommand(this: Redis, ...given: Parameters<Send>) {
  const [command] = given as unknown as [Command];
  const write = writeOf(command.name, command.args);
  if (write === undefined) return send.apply(this, given);
  if (write.ask === undefined) {
    meet(write.kinds, command);
    return send.apply(this, given);
  }
  write.ask(this).then(
    (kinds) => {
      meet(kinds, command);
      void Promise.resolve(send.apply(this, given)).catch(() => {});
    },
    (error: unknown) => command.reject(error as Error),
  );
  return command.promise;
};

/** Dies here, or sees to it that the answer is never heard of. */
function meet(kinds: readonly string[], command: Command): void {
  for (const kind of kinds) report.saw(kind);
  const point = armed;
  if (point === undefined || !kinds.includes(point.kind)) return;
  if (point.moment === 'before') report.die(point);
  // One death: what is sent from here on is not waited for.
  const { reject } = command;
  command.resolve = () => report.die(point);
  // The script is not there yet: the call is made again with its source.
  command.reject = (error) => (error.message.startsWith('NOSCRIPT') ? reject(error) : report.die(point));
}
