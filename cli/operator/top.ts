/**
 * `dibs top`: all queues and the fleet, live. Redrawn in place on a terminal; with `-o json` one object a line, with `--once` one
 * picture.
 */
import { Command } from 'commander';
import type { QueueView, QueuesChanged } from '../../sdk/client/index.ts';
import { formatDuration } from '../../sdk/common/duration.ts';
import { print } from '../io.ts';
import type { Io } from '../io.ts';
import { withConnection, withOutput } from '../options.ts';
import type { ConnectionFlags, OutputFlags } from '../options.ts';
import { printElement, printOne } from '../output/print.ts';
import { paint } from '../output/paint.ts';
import type { Paint } from '../output/paint.ts';
import { renderTable, safe } from '../output/table.ts';
import type { Column } from '../output/table.ts';
import { LiveRegion } from '../progress/live-region.ts';
import { withClient } from '../session.ts';

type Flags = ConnectionFlags & OutputFlags & { readonly once?: boolean };

/** Queues as last told, and when. */
interface Shown {
  readonly queues: Map<string, { readonly queue: QueueView; readonly at: number }>;
  fleet: QueuesChanged['fleet'] | undefined;
}

export function topCommand(io: Io): Command {
  const command = new Command('top')
    .description(
      'show all queues and the fleet, live: waiting, oldest, running, agents, throughput, when it is done',
    )
    .option('--once', 'one picture, then end');
  return withOutput(withConnection(command), ['table', 'json', 'yaml']).action((flags: Flags) =>
    withClient(io, flags, async ({ client, signal }) => {
      const shown: Shown = { queues: new Map(), fleet: undefined };
      const picture = (): string[] => draw(shown, Date.now(), paint(io.color.stdout));
      const region =
        flags.once === true || flags.output !== 'table' || !io.live
          ? undefined
          : new LiveRegion(io.stderr, () => cropped(picture(), io.columns()));
      try {
        for await (const changed of client.watchQueues({ signal })) {
          for (const queue of changed.queues) shown.queues.set(queue.name, { queue, at: Date.now() });
          shown.fleet = changed.fleet;
          const told = { queues: sorted(shown).map(({ queue }) => queue), fleet: changed.fleet };
          if (flags.once === true) {
            printOne(io, flags.output, told, { name: 'queues', lines: picture });
            return;
          }
          if (region !== undefined) region.update();
          else if (!printElement(io, flags.output, told)) for (const line of picture()) print(io, line);
        }
      } finally {
        region?.finish();
      }
    }),
  );
}

/** What waits longest first. */
function sorted({ queues }: Shown): { readonly queue: QueueView; readonly at: number }[] {
  return [...queues.values()].toSorted(
    (a, b) =>
      Number(b.queue.waiting > 0) - Number(a.queue.waiting > 0) ||
      b.queue.oldestWaitMs - b.at - (a.queue.oldestWaitMs - a.at) ||
      (a.queue.name < b.queue.name ? -1 : 1),
  );
}

function draw(shown: Shown, now: number, painter: Paint): string[] {
  const { fleet } = shown;
  const title =
    fleet === undefined
      ? 'connecting'
      : `agents: ${fleet.agentsConnected} (${fleet.agentsPaused} paused, ${fleet.agentsQuarantined} quarantined), ` +
        `slots: ${fleet.held} of ${fleet.slots} taken`;
  return [title, '', ...renderTable(columnsOf(now, painter), sorted(shown))];
}

/** A line that wraps would be two to redraw. */
function cropped(lines: readonly string[], columns: number): string[] {
  return lines.map((line) =>
    line.length > columns && !line.includes('\u001b') ? line.slice(0, columns) : line,
  );
}

function columnsOf(
  now: number,
  painter: Paint,
): Column<{ readonly queue: QueueView; readonly at: number }>[] {
  return [
    {
      title: 'QUEUE',
      value: ({ queue }) =>
        `${safe(queue.name)}${queue.pause === null ? '' : painter('yellow', ' (paused)')}`,
    },
    { title: 'WAITING', value: ({ queue }) => String(queue.waiting), align: 'right' },
    {
      title: 'OLDEST',
      value: ({ queue, at }) =>
        queue.waiting === 0 ? '-' : formatDuration(Math.floor((queue.oldestWaitMs + now - at) / 1000) * 1000),
      align: 'right',
    },
    { title: 'RUNNING', value: ({ queue }) => String(queue.running), align: 'right' },
    {
      title: 'AGENTS',
      value: ({ queue: { waiting, eligibleAgents, closedAgents } }) =>
        waiting > 0 && eligibleAgents === 0
          ? painter('red', '0')
          : closedAgents === 0
            ? String(eligibleAgents)
            : `${eligibleAgents - closedAgents}/${eligibleAgents}`,
      align: 'right',
    },
    {
      title: 'COST/S',
      value: ({ queue }) => (queue.throughput === 0 ? '-' : String(Number(queue.throughput.toPrecision(3)))),
      align: 'right',
    },
    {
      title: 'STARTED IN',
      value: ({ queue: { drainInMs } }) =>
        drainInMs === null ? '-' : formatDuration(Math.max(1000, Math.round(drainInMs / 1000) * 1000)),
      align: 'right',
    },
    {
      title: 'STALLS',
      value: ({ queue }) => (queue.stalls === 0 ? '-' : painter('yellow', String(queue.stalls))),
      align: 'right',
    },
  ];
}
