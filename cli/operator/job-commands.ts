/** `dibs job explain|requeue|release`: why a job waits; a job taken from its agent, or out of its place. */
import { Command } from 'commander';
import type { Io } from '../io.ts';
import { withConnection, withOutput } from '../options.ts';
import type { ConnectionFlags, OutputFlags } from '../options.ts';
import { printOne } from '../output/print.ts';
import { withClient } from '../session.ts';
import { explainJobCommand } from './explain.ts';

type Flags = ConnectionFlags & OutputFlags & { readonly note?: string; readonly back?: boolean };

export function jobCommand(io: Io): Command {
  const requeue = new Command('requeue')
    .description(
      'take a job from whoever holds it, or out of its place, and queue it anew; no attempt is counted',
    )
    .argument('<id>', 'id of the job')
    .option('--back', 'to the back of its queue instead of the front')
    .option('--note <text>', 'why, for people; kept with the job');
  const release = new Command('release')
    .description('take a job from whoever holds it and put it to the front of its queue')
    .argument('<id>', 'id of the job')
    .option('--note <text>', 'why, for people; kept with the job');
  for (const command of [requeue, release]) {
    withOutput(withConnection(command)).action((id: string, flags: Flags) => move(io, id, flags));
  }
  return new Command('job')
    .description('single jobs')
    .addCommand(explainJobCommand(io))
    .addCommand(requeue)
    .addCommand(release);
}

function move(io: Io, id: string, flags: Flags): Promise<void> {
  return withClient(io, flags, async ({ client, signal }) => {
    const to = flags.back === true ? 'back' : 'front';
    const was = await client.requeueJob(id, { toBack: to === 'back', note: flags.note, signal });
    const told = { id, was, to };
    const line = `${id}: was ${was}, now at the ${to} of its queue`;
    printOne(io, flags.output, told, { name: id, lines: () => [line] });
  });
}
