/** `dibs queue get|pause|resume`: each prints the queue as it then is. */
import { Command } from 'commander';
import type { Io } from '../io.ts';
import { withConnection, withOutput } from '../options.ts';
import type { ConnectionFlags, OutputFlags } from '../options.ts';
import { printOne } from '../output/print.ts';
import { safe } from '../output/table.ts';
import { withClient } from '../session.ts';
import type { Session } from '../session.ts';
import { say } from '../io.ts';
import { Code, DibsError } from '../../sdk/client/index.ts';
import type { QueueView } from '../../sdk/client/index.ts';
import { showQueue } from './show.ts';

type Flags = ConnectionFlags & OutputFlags & { readonly note?: string };

export function queueVerbs(io: Io): Command[] {
  const get = new Command('get').description('show a queue').argument('<name>', 'name of a queue');
  const pause = new Command('pause')
    .description('take no claims from a queue, or from all queues of a step type; running jobs go on')
    .argument('<name>', 'name of a queue, or a step type')
    .option('--note <text>', 'why, for people');
  const resume = new Command('resume')
    .description('take claims from a queue again')
    .argument('<name>', 'name of a queue, or a step type');
  withOutput(withConnection(get)).action((name: string, flags: Flags) =>
    withClient(io, flags, async ({ client, signal }) =>
      printQueue(io, flags, await client.getQueue(name, { signal })),
    ),
  );
  withOutput(withConnection(pause)).action((name: string, flags: Flags) =>
    withClient(io, flags, async (session) => {
      await session.client.pauseQueue(name, { note: flags.note, signal: session.signal });
      await printIfThere(io, flags, session, name, 'paused');
    }),
  );
  withOutput(withConnection(resume)).action((name: string, flags: Flags) =>
    withClient(io, flags, async (session) => {
      await session.client.resumeQueue(name, { signal: session.signal });
      await printIfThere(io, flags, session, name, 'resumed');
    }),
  );
  return [get, pause, resume];
}

/** A step type may be paused before it has a queue. */
async function printIfThere(
  io: Io,
  flags: Flags,
  { client, signal }: Session,
  name: string,
  what: string,
): Promise<void> {
  let queue: QueueView;
  try {
    queue = await client.getQueue(name, { signal });
  } catch (error) {
    if (!(error instanceof DibsError && error.code === Code.NOT_FOUND)) throw error;
    say(io, `${safe(name)}: ${what}; it has no queue of that name.`);
    return;
  }
  printQueue(io, flags, queue);
}

function printQueue(io: Io, { output }: Flags, queue: QueueView): void {
  printOne(io, output, queue, { name: queue.name, lines: () => showQueue(queue, Date.now()) });
}
