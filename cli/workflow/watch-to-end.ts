/**
 * Shows a workflow until it ends, prints what it became, and fails when it failed: what `watch`, `wait` and
 * `submit --wait|--watch` do in the end.
 */
import type { WorkflowView } from '../../sdk/client/index.ts';
import { print } from '../io.ts';
import type { Io } from '../io.ts';
import type { Format } from '../options.ts';
import { paint } from '../output/paint.ts';
import { printElement, printOne } from '../output/print.ts';
import { eventLine } from '../progress/event-line.ts';
import { follow } from '../progress/follow.ts';
import type { Session } from '../session.ts';
import { assertSucceeded } from './ending.ts';
import { showWorkflow } from './show-workflow.ts';

/** `events`: standard output carries the events; otherwise it carries the workflow once it has ended. */
export async function watchToEnd(
  { client, signal }: Session,
  io: Io,
  workflow: WorkflowView,
  { format, events }: { readonly format: Format; readonly events: boolean },
): Promise<void> {
  // Bars on a terminal take the place of event lines; JSON and YAML stay data wherever they go.
  const asData = events && (format === 'json' || format === 'yaml');
  const asLines = events && !asData && !io.live;
  await follow(client, io, [{ workflow }], {
    signal,
    show: asData || asLines ? 'nothing' : 'bars',
    onEvent: (event) => {
      if (asData) printElement(io, format, event);
      else if (asLines && format !== 'name') print(io, eventLine(event));
    },
  });
  const ended = await client.get(workflow.id, { signal });
  if (!asData && !asLines) printWorkflow(io, format, ended);
  assertSucceeded(ended, io);
}

export function printWorkflow(io: Io, format: Format, workflow: WorkflowView): void {
  const painter = paint(io.color.stdout);
  printOne(io, format, workflow, {
    name: workflow.id,
    lines: (wide) => showWorkflow(workflow, { now: Date.now(), paint: painter, wide }),
  });
}
