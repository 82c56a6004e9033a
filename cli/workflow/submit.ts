/**
 * `dibs workflow submit`: a file, standard input or flags become a workflow; files it names are stored first.
 *
 * Standard output: the id (or the workflow, with -o json); with --wait what it became; with --watch its events.
 */
import { Command, Option } from 'commander';
import { readWorkflowSpec } from '../../sdk/client/index.ts';
import type { DibsClient, WorkflowInput } from '../../sdk/client/index.ts';
import type { Json } from '../../sdk/common/json.ts';
import { print, say } from '../io.ts';
import type { Io } from '../io.ts';
import { collect, collectPairs, wholeNumber, withConnection, withOutput } from '../options.ts';
import type { ConnectionFlags, OutputFlags } from '../options.ts';
import { withClient } from '../session.ts';
import type { Session } from '../session.ts';
import { describeFile, storeFiles } from './local-files.ts';
import { assertNoStepFlags, overlay, specFromFlags } from './spec-flags.ts';
import type { SpecFlags } from './spec-flags.ts';
import { readSpecFile, withSeconds } from './spec-file.ts';
import { printWorkflow, watchToEnd } from './watch-to-end.ts';

interface Flags extends SpecFlags, ConnectionFlags, OutputFlags {
  readonly wait?: boolean;
  readonly watch?: boolean;
  readonly requestId?: string;
  readonly validateOnly?: boolean;
}

const EXAMPLES = `
Examples:
  dibs workflow submit pipeline.yaml --arg seed=42 --artifact photo=cat.jpg --wait
  dibs workflow submit --type value.echo --input '{"hello":"world"}' --watch
  jq -n '{steps:[{type:"value.echo"}]}' | dibs workflow submit -

In the file, {"$file": "photo.jpg"} stands for the content of a file beside it.`;

export function submitCommand(io: Io): Command {
  const command = new Command('submit')
    .description('submit a workflow')
    .argument('[file]', 'JSON or YAML; "-" for standard input')
    .option('--type <type>', 'submit one step of this type instead of a file')
    .option('--input <json>', "the step's input: JSON or @file")
    .option('--for-each <json>', 'a job for each item: a list, a number, or @file')
    .addOption(
      new Option('--retries <n>', 'further attempts after a failed one').argParser(wholeNumber(0, 100)),
    )
    .addOption(new Option('--priority <band>', 'scheduling band').choices(['low', 'normal', 'high']))
    .option('--name <name>', 'name for people')
    .option('--tag <tag>', 'tag to list by; may be repeated', collect)
    .option('--arg <name=value>', 'argument, JSON or text; may be repeated', collectPairs)
    .option('--artifact <name=path>', 'argument that is a file; may be repeated', collectPairs)
    .option('--request-id <id>', 'idempotency key: the same one never submits twice')
    .option('--validate-only', 'check it and store nothing')
    .addOption(new Option('--wait', 'wait for the end and print what it became').conflicts('validateOnly'))
    .addOption(new Option('--watch', 'print events until the end').conflicts(['wait', 'validateOnly']))
    .addHelpText('after', EXAMPLES);
  return withOutput(withConnection(command)).action((file: string | undefined, flags: Flags) =>
    withClient(io, flags, (session) => submit(session, io, file, flags)),
  );
}

async function submit(session: Session, io: Io, file: string | undefined, flags: Flags): Promise<void> {
  const { client, signal } = session;
  const validateOnly = flags.validateOnly === true;
  const workflow = await readWorkflow(client, io, file, flags, signal);
  const options = {
    signal,
    validateOnly,
    ...(flags.requestId === undefined ? {} : { requestId: flags.requestId }),
  };
  const { workflow: made, duplicate } = await client.submit(workflow, options);
  if (validateOnly) {
    say(
      io,
      `The workflow is valid: ${workflow.steps.length} ${workflow.steps.length === 1 ? 'step' : 'steps'}.`,
    );
    if (flags.output === 'json' || flags.output === 'yaml') printWorkflow(io, flags.output, made);
    return;
  }
  if (duplicate) say(io, `The request id was used before; this is the workflow made then.`);
  if (flags.wait === true || flags.watch === true) {
    return watchToEnd(session, io, made, { format: flags.output, events: flags.watch === true });
  }
  if (flags.output === 'table' || flags.output === 'name') print(io, made.id);
  else printWorkflow(io, flags.output, made);
  if (io.live) say(io, `Follow it with: dibs workflow watch ${made.id}`);
}

/** With every mistake a client can see found before anything is stored. */
async function readWorkflow(
  client: DibsClient,
  io: Io,
  file: string | undefined,
  flags: Flags,
  signal: AbortSignal,
): Promise<WorkflowInput> {
  if (file !== undefined) assertNoStepFlags(flags);
  const { workflow, folder } =
    file === undefined
      ? { workflow: specFromFlags(io, flags), folder: io.cwd }
      : await readSpecFile(io, file);
  const whole = overlay(io, workflow, flags);
  // A workflow with mistakes stores no file; the coordinator adds those only it can see.
  if (readWorkflowSpec(withSeconds(whole)).problems.length > 0)
    await client.submit(withSeconds(whole), { validateOnly: true });
  const store = flags.validateOnly === true ? describeFile : storeIn(client, io, signal);
  const stored = await storeFiles<{ [key: string]: Json }>(whole, folder, store);
  return withSeconds(stored);
}

function storeIn(client: DibsClient, io: Io, signal: AbortSignal): Parameters<typeof storeFiles>[2] {
  return async ({ path, ...about }) => {
    if (io.live) say(io, `Storing ${path} …`);
    return client.artifacts.put(path, { ...about, signal });
  };
}
