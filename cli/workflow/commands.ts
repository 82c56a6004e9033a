/** `dibs workflow …`: the reading and stopping commands. `submit.ts` has the one that starts something. */
import { Command, Option } from 'commander';
import { parseState } from '../../sdk/common/states.ts';
import type { WorkflowView } from '../../sdk/client/index.ts';
import { UsageError } from '../failure.ts';
import { say } from '../io.ts';
import type { Io } from '../io.ts';
import { collect, wholeNumber, withConnection, withOutput } from '../options.ts';
import type { ConnectionFlags, OutputFlags } from '../options.ts';
import { paint } from '../output/paint.ts';
import { printList } from '../output/print.ts';
import { withClient } from '../session.ts';
import { assertSucceeded } from './ending.ts';
import { findWorkflow } from './find-workflow.ts';
import { workflowColumns } from './show-workflow.ts';
import { submitCommand } from './submit.ts';
import { printWorkflow, watchToEnd } from './watch-to-end.ts';

type Flags = ConnectionFlags & OutputFlags;
const ID = 'id, or an unambiguous beginning of one';

export function workflowCommand(io: Io): Command {
  return new Command('workflow')
    .description('submit workflows, follow them, stop them')
    .addCommand(submitCommand(io))
    .addCommand(getCommand(io))
    .addCommand(listCommand(io))
    .addCommand(watchCommand(io))
    .addCommand(waitCommand(io))
    .addCommand(cancelCommand(io));
}

function getCommand(io: Io): Command {
  const command = new Command('get')
    .description('show a workflow; jobs with -o wide, outputs with -o json')
    .argument('<id>', ID)
    .option('--jobs', 'include jobs in JSON and YAML');
  return withOutput(withConnection(command)).action((id: string, flags: Flags & { jobs?: boolean }) =>
    withClient(io, flags, async (session) => {
      const asText = flags.output === 'table' || flags.output === 'wide';
      const includeJobs = flags.jobs === true || flags.output === 'wide';
      printWorkflow(io, flags.output, await findWorkflow(session, id, { includeJobs, omitOutputs: asText }));
    }),
  );
}

function listCommand(io: Io): Command {
  const command = new Command('list')
    .description('list workflows, newest first')
    .option('--status <status>', 'only those in this state: processing, failed, …')
    .option('--tag <tag>', 'only those with this tag; may be repeated', collect)
    .option('--name <name>', 'only those of this name')
    .option('--type <type>', 'only those with a step of this type')
    .option('--filter <terms>', 'terms joined by AND, as in the API')
    .addOption(new Option('--limit <n>', 'at most so many').argParser(wholeNumber(1, 100_000)).default(50));
  return withOutput(withConnection(command)).action((flags: Flags & ListFlags) =>
    withClient(io, flags, async ({ client, signal }) => {
      const found: WorkflowView[] = [];
      const pageSize = Math.min(flags.limit, 1_000);
      for await (const workflow of client.list({ filter: filterOf(flags), pageSize, signal })) {
        found.push(workflow);
        if (found.length >= flags.limit) break;
      }
      const columns = workflowColumns({ now: Date.now(), paint: paint(io.color.stdout) });
      printList(io, flags.output, found, { columns, name: ({ id }) => id });
      if (found.length === 0 && io.live) say(io, 'No workflows.');
    }),
  );
}

interface ListFlags {
  readonly status?: string;
  readonly tag?: readonly string[];
  readonly name?: string;
  readonly type?: string;
  readonly filter?: string;
  readonly limit: number;
}

function filterOf({ status, tag = [], name, type, filter }: ListFlags): string {
  const state = status === undefined ? undefined : parseState(status);
  if (status !== undefined && state === undefined) throw new UsageError(`There is no state "${status}".`);
  return [
    ...(filter === undefined ? [] : [filter]),
    ...(state === undefined ? [] : [`state=${state}`]),
    ...tag.map((one) => `tag=${one}`),
    ...(name === undefined ? [] : [`name=${name}`]),
    ...(type === undefined ? [] : [`type=${type}`]),
  ].join(' AND ');
}

function watchCommand(io: Io): Command {
  const command = new Command('watch')
    .description('follow a workflow until it ends: bars on a terminal, its events off one and in JSON')
    .argument('<id>', ID);
  return withOutput(withConnection(command)).action((id: string, flags: Flags) =>
    withClient(io, flags, async (session) => {
      const workflow = await findWorkflow(session, id, { omitOutputs: true });
      await watchToEnd(session, io, workflow, { format: flags.output, events: true });
    }),
  );
}

function waitCommand(io: Io): Command {
  const command = new Command('wait')
    .description('wait until a workflow has ended and print what it became')
    .argument('<id>', ID);
  return withOutput(withConnection(command)).action((id: string, flags: Flags) =>
    withClient(io, flags, async (session) => {
      const { id: whole } = await findWorkflow(session, id, { omitOutputs: true });
      const ended = await session.client.wait(whole, { signal: session.signal });
      printWorkflow(io, flags.output, ended);
      assertSucceeded(ended, io);
    }),
  );
}

function cancelCommand(io: Io): Command {
  const command = new Command('cancel')
    .description('stop a workflow; finished steps keep their results')
    .argument('<id>', ID)
    .option('--reason <text>', 'why, for people; kept with the workflow');
  return withOutput(withConnection(command)).action((id: string, flags: Flags & { reason?: string }) =>
    withClient(io, flags, async (session) => {
      const { client, signal } = session;
      const { id: whole } = await findWorkflow(session, id, { omitOutputs: true });
      const options = { signal, ...(flags.reason === undefined ? {} : { message: flags.reason }) };
      printWorkflow(io, flags.output, await client.cancel(whole, options));
    }),
  );
}
