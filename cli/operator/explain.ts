/** `dibs job explain` and `dibs agent explain`: why a job waits, why an agent gets nothing. */
import { Command } from 'commander';
import type { ForecastView, JobExplanation } from '../../sdk/client/index.ts';
import { formatDuration } from '../../sdk/common/duration.ts';
import type { Io } from '../io.ts';
import { withConnection, withOutput } from '../options.ts';
import type { ConnectionFlags, OutputFlags } from '../options.ts';
import { printOne } from '../output/print.ts';
import { renderFields, renderTable, safe } from '../output/table.ts';
import { withClient } from '../session.ts';
import { findAgent } from './find-agent.ts';
import { showAgentWhy } from './show-why.ts';

type Flags = ConnectionFlags & OutputFlags;

export function explainJobCommand(io: Io): Command {
  const command = new Command('explain')
    .description('say why a job waits: what each agent lacks, who comes nearest, what would make it run')
    .argument('<id>', 'id of the job');
  return withOutput(withConnection(command)).action((id: string, flags: Flags) =>
    withClient(io, flags, async ({ client, signal }) => {
      const told = await client.explainJob(id, { signal });
      printOne(io, flags.output, told, { name: told.jobId, lines: () => showJob(told) });
    }),
  );
}

export function explainAgentCommand(io: Io): Command {
  const command = new Command('explain')
    .description('say why an agent gets nothing: waiting jobs it does not take, by reason')
    .argument('<agent>', 'id, or a name only one agent has');
  return withOutput(withConnection(command)).action((text: string, flags: Flags) =>
    withClient(io, flags, async (session) => {
      const { client, signal } = session;
      const { id } = await findAgent(session, text);
      const told = await client.explainAgent(id, { signal });
      printOne(io, flags.output, told, { name: told.agentId, lines: () => showAgentWhy(told) });
    }),
  );
}

function showJob(told: JobExplanation): string[] {
  const fields: [string, string][] = [
    ['job', told.jobId],
    ['status', told.status],
    ['why', safe(told.summary)],
    ['needs', safe(told.requirement)],
    ['queue', safe(told.queue)],
  ];
  if (told.forecast !== null) fields.push(...forecastFields(told.forecast));
  if (told.nearest !== null) {
    const { agentName, agentId, message, advice } = told.nearest;
    fields.push(['nearest', `${safe(agentName)} (${agentId}) ${safe(message)}`]);
    fields.push(['advice', safe(advice)]);
  }
  if (told.openAgents.length > 0) fields.push(['can run it', told.openAgents.slice(0, 10).join(', ')]);
  const lines = renderFields(fields);
  if (told.status !== 'unassigned' || told.missed.length === 0) return lines;
  return [
    ...lines,
    '',
    ...renderTable(
      [
        { title: 'AGENTS', value: ({ agents }) => String(agents), align: 'right' },
        { title: 'REASON', value: ({ reason }) => reason },
        {
          title: 'FOR EXAMPLE',
          value: ({ exampleAgentId, example }) => `${exampleAgentId} ${safe(example)}`,
        },
      ],
      told.missed,
    ),
  ];
}

function forecastFields({
  position,
  exact,
  costAhead,
  startIn,
  doneIn,
  eligibleAgents,
}: ForecastView): [string, string][] {
  const cost = Number(costAhead.toPrecision(3));
  const fields: [string, string][] = [
    [
      'position',
      `${exact ? '' : 'about '}${position} (cost ${cost} before it, ${eligibleAgents} agents can run it)`,
    ],
  ];
  if (startIn !== null)
    fields.push(['starts in', `${about(startIn.p50Ms)}, within ${about(startIn.p90Ms)} nine times of ten`]);
  if (doneIn !== null) fields.push(['done in', about(doneIn.p50Ms)]);
  return fields;
}

/** To the second from ten seconds on. */
function about(ms: number): string {
  return formatDuration(ms < 10_000 ? Math.round(ms / 100) * 100 : Math.round(ms / 1000) * 1000);
}
