/** `dibs agent get|pause|resume|drain|quarantine|release`: each prints the agent as it then is. */
import { Command } from 'commander';
import type { AgentActionName, AgentView } from '../../sdk/client/index.ts';
import type { Io } from '../io.ts';
import { withConnection, withOutput } from '../options.ts';
import type { ConnectionFlags, OutputFlags } from '../options.ts';
import { printOne } from '../output/print.ts';
import { withClient } from '../session.ts';
import { findAgent } from './find-agent.ts';
import { showAgent } from './show.ts';

type Flags = ConnectionFlags & OutputFlags & { readonly note?: string };

const AGENT = 'id, or a name only one agent has';

const VERBS: readonly (readonly [verb: AgentActionName, does: string])[] = [
  ['pause', 'give an agent no more jobs until it is resumed; running ones go on'],
  ['resume', 'give a paused agent jobs again'],
  ['drain', 'have an agent finish what it runs, take nothing more and leave'],
  ['quarantine', 'shut an agent out until it is released'],
  ['release', 'let an agent out of quarantine at once, without a trial'],
];

export function agentVerbs(io: Io): Command[] {
  const get = new Command('get').description('show an agent; more with -o wide').argument('<agent>', AGENT);
  withOutput(withConnection(get)).action((typed: string, flags: Flags) =>
    withClient(io, flags, async (session) => printAgent(io, flags, await findAgent(session, typed))),
  );
  const verbs = VERBS.map(([verb, does]) => {
    const command = new Command(verb)
      .description(does)
      .argument('<agent>', AGENT)
      .option('--note <text>', 'why, for people');
    return withOutput(withConnection(command)).action((typed: string, flags: Flags) =>
      withClient(io, flags, async (session) => {
        const { client, signal } = session;
        const { id } = await findAgent(session, typed);
        printAgent(io, flags, await client.controlAgent(id, verb, { note: flags.note, signal }));
      }),
    );
  });
  return [get, ...verbs];
}

function printAgent(io: Io, { output }: Flags, agent: AgentView): void {
  printOne(io, output, agent, {
    name: agent.id,
    lines: (wide) => showAgent(agent, Date.now(), wide),
  });
}
