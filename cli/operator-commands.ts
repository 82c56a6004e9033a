/** `dibs queue …` and `dibs agent …`: the lists, what waits and who could run it. `operator/` has the other verbs. */
import { Command } from 'commander';
import type { AgentView, QueueView } from '../sdk/client/index.ts';
import { formatDuration } from '../sdk/common/duration.ts';
import { say } from './io.ts';
import type { Io } from './io.ts';
import { agentVerbs } from './operator/agent-verbs.ts';
import { explainAgentCommand } from './operator/explain.ts';
import { queueVerbs } from './operator/queue-verbs.ts';
import { withConnection, withOutput } from './options.ts';
import type { ConnectionFlags, OutputFlags } from './options.ts';
import { paint } from './output/paint.ts';
import type { Paint } from './output/paint.ts';
import { printList } from './output/print.ts';
import { safe } from './output/table.ts';
import type { Column } from './output/table.ts';
import { age, bytes } from './output/times.ts';
import { withClient } from './session.ts';

type Flags = ConnectionFlags & OutputFlags;

export function queueCommand(io: Io): Command {
  const list = new Command('list').description(
    'list capability queues: waiting jobs and the agents that can run them',
  );
  withOutput(withConnection(list)).action((flags: Flags) =>
    withClient(io, flags, async ({ client, signal }) => {
      const queues: QueueView[] = [];
      for await (const queue of client.queues({ signal })) queues.push(queue);
      printList(io, flags.output, queues, {
        columns: queueColumns(paint(io.color.stdout)),
        name: ({ name }) => name,
      });
      if (queues.length === 0 && io.live) say(io, 'No queues.');
    }),
  );
  return withVerbs(new Command('queue').description('capability queues'), [list, ...queueVerbs(io)]);
}

export function agentCommand(io: Io): Command {
  const list = new Command('list').description('list agents of the fleet');
  withOutput(withConnection(list)).action((flags: Flags) =>
    withClient(io, flags, async ({ client, signal }) => {
      const agents: AgentView[] = [];
      for await (const agent of client.agents({ signal })) agents.push(agent);
      printList(io, flags.output, agents, {
        columns: agentColumns(Date.now(), paint(io.color.stdout)),
        name: ({ id }) => id,
      });
      if (agents.length === 0 && io.live) say(io, 'No agents.');
    }),
  );
  return withVerbs(new Command('agent').description('the fleet'), [
    list,
    ...agentVerbs(io),
    explainAgentCommand(io),
  ]);
}

function withVerbs(noun: Command, verbs: readonly Command[]): Command {
  for (const verb of verbs) noun.addCommand(verb);
  return noun;
}

function queueColumns(painter: Paint): Column<QueueView>[] {
  return [
    { title: 'QUEUE', value: ({ name }) => safe(name) },
    { title: 'WAITING', value: ({ waiting }) => String(waiting), align: 'right' },
    {
      title: 'OLDEST',
      value: ({ waiting, oldestWaitMs }) => (waiting === 0 ? '-' : formatDuration(oldestWaitMs)),
      align: 'right',
    },
    {
      title: 'AGENTS',
      value: ({ waiting, eligibleAgents }) =>
        waiting > 0 && eligibleAgents === 0 ? painter('red', '0') : String(eligibleAgents),
      align: 'right',
    },
    { title: 'PAUSED', value: ({ pause }) => (pause === null ? '-' : painter('yellow', 'yes')), wide: true },
    {
      title: 'NEEDS',
      value: ({ requirement }) => (requirement === null ? '-' : safe(JSON.stringify(requirement))),
      wide: true,
    },
  ];
}

function agentColumns(now: number, painter: Paint): Column<AgentView>[] {
  const styles = {
    connected: 'green',
    draining: 'yellow',
    paused: 'yellow',
    canary: 'yellow',
    quarantined: 'red',
    lost: 'red',
    unknown: 'dim',
  } as const;
  return [
    { title: 'ID', value: ({ id }) => id },
    { title: 'NAME', value: ({ name }) => safe(name) },
    { title: 'STATUS', value: ({ status }) => painter(styles[status], status) },
    { title: 'JOBS', value: ({ held, slots }) => `${held}/${slots}`, align: 'right' },
    { title: 'SEEN', value: ({ heartbeatAt }) => age(heartbeatAt, now), align: 'right' },
    { title: 'TYPES', value: ({ types }) => safe(types.join(',')) },
    { title: 'CPU', value: ({ hardware, cpuLoad }) => cpuOf(hardware?.cpuCores, cpuLoad), wide: true },
    {
      title: 'MEMORY',
      value: ({ hardware }) => (hardware === null ? '-' : bytes(hardware.memoryBytes)),
      wide: true,
    },
    {
      title: 'GPUS',
      value: ({ hardware }) => safe(hardware?.gpus.map(({ model }) => model).join(',') ?? '') || '-',
      wide: true,
    },
    {
      title: 'WHY',
      value: ({ quarantine, pause }) => safe(quarantine?.reason ?? pause?.note ?? '') || '-',
      wide: true,
    },
    {
      title: 'LABELS',
      value: ({ labels }) =>
        safe(
          Object.entries(labels)
            .map((pair) => pair.join('='))
            .join(','),
        ) || '-',
      wide: true,
    },
    { title: 'VERSION', value: ({ version }) => safe(version), wide: true },
  ];
}

function cpuOf(cores: number | undefined, load: number | null): string {
  if (cores === undefined) return '-';
  return load === null ? String(cores) : `${cores} (${Math.round(load * 100)}%)`;
}
