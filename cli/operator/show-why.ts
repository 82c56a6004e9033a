/** Why an agent gets nothing, as text for people. */
import type { AgentExplanation } from '../../sdk/client/index.ts';
import { renderFields, renderTable, safe } from '../output/table.ts';

export function showAgentWhy({
  agentId,
  agentName,
  summary,
  skipped,
  runnableJobs,
}: AgentExplanation): string[] {
  const lines = renderFields([
    ['agent', `${safe(agentName)} (${agentId})`],
    ['why', safe(summary)],
    ['can run', `${runnableJobs} waiting jobs`],
  ]);
  if (skipped.length === 0) return lines;
  return [
    ...lines,
    '',
    ...renderTable(
      [
        { title: 'JOBS', value: ({ jobs }) => String(jobs), align: 'right' },
        { title: 'REASON', value: ({ reason }) => reason },
        {
          title: 'FOR EXAMPLE',
          value: ({ exampleQueue, example }) => `${safe(exampleQueue)}: ${safe(example)}`,
        },
      ],
      skipped,
    ),
  ];
}
