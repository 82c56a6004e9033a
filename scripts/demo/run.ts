/**
 * What a consumer does: stores files, submits two workflows at once, follows both, takes the results.
 *
 * Everything here is public API of `dibs/sdk/client`, apart from the drawing of the progress.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { countFile, histogramJson } from '../../agent/executors/text/word-count.ts';
import { follow } from '../../cli/progress/follow.ts';
import type { Io } from '../../cli/io.ts';
import { WorkflowFailedError } from '../../sdk/client/index.ts';
import type { ArtifactReference, DibsClient, Json, WorkflowView } from '../../sdk/client/index.ts';
import type { DemoOptions } from './options.ts';
import type { Samples } from './samples.ts';
import { photoWorkflow, textWorkflow } from './workflows.ts';

export interface OutputFile {
  readonly path: string;
  readonly bytes: number;
  readonly what: string;
}

export interface DemoResult {
  readonly workflows: readonly WorkflowView[];
  readonly files: readonly OutputFile[];
  /** Jobs that succeeded, by the name of the agent that ran them. */
  readonly jobsByAgent: Readonly<Record<string, number>>;
  readonly words: number;
  /** The text counted in parallel and in one process: the same bytes. */
  readonly textEqual: boolean;
  readonly oneProcessMs: number;
  readonly sheet: { readonly width: number; readonly height: number };
}

export async function runDemo(
  client: DibsClient,
  io: Io,
  samples: Samples,
  { out, factor, parts }: DemoOptions,
  signal: AbortSignal,
): Promise<DemoResult> {
  const [photo, text] = await Promise.all([
    client.artifacts.put(samples.photo, { signal }),
    client.artifacts.put(samples.text, { signal }),
  ]);
  const submitted = await Promise.all([
    client.submit(photoWorkflow(photo, factor), { signal }),
    client.submit(textWorkflow(text, parts), { signal }),
  ]);
  await follow(client, io, submitted, { signal });

  const [enlarged, counted] = await Promise.all(
    submitted.map(({ workflow }) => client.get(workflow.id, { includeJobs: true, signal })),
  );
  if (enlarged === undefined || counted === undefined) throw new Error('A workflow is missing.');
  for (const workflow of [enlarged, counted]) {
    if (workflow.status !== 'succeeded') throw new WorkflowFailedError(workflow);
  }

  const sheet = outputOf<{ image: ArtifactReference; width: number; height: number }>(enlarged, 'sheet');
  const sheetPath = join(out, 'contact-sheet.png');
  await client.artifacts.download(sheet.image, sheetPath, { signal });
  const count = outputOf<{ histogram: ArtifactReference; words: number; lines: number; bytes: number }>(
    counted,
    'merge',
  );
  const countPath = join(out, 'word-count.json');
  await client.artifacts.download(count.histogram, countPath, { signal });

  const startedAt = performance.now();
  const alone = await countFile(samples.text);
  const expected = Buffer.from(histogramJson(alone.histogram));
  const oneProcessMs = performance.now() - startedAt;
  const sameTotals =
    alone.words === count.words && alone.lines === count.lines && alone.bytes === count.bytes;
  const textEqual = sameTotals && expected.equals(await readFile(countPath));

  const outputs: [string, string][] = [
    [sheetPath, `the contact sheet, ${sheet.width} × ${sheet.height} pixels`],
    [countPath, `how often each word occurs, ${count.words} words in all`],
  ];
  return {
    workflows: [enlarged, counted],
    files: await Promise.all(
      outputs.map(async ([path, what]) => ({ path, bytes: (await stat(path)).size, what })),
    ),
    jobsByAgent: await countJobs(client, [enlarged, counted], signal),
    words: count.words,
    textEqual,
    oneProcessMs,
    sheet,
  };
}

async function countJobs(
  client: DibsClient,
  workflows: readonly WorkflowView[],
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const names = new Map<string, string>();
  const counts: Record<string, number> = {};
  for await (const { id, name } of client.agents({ signal })) {
    names.set(id, name);
    counts[name] = 0;
  }
  for (const { steps } of workflows) {
    for (const { agentId, status } of steps.flatMap(({ jobs }) => jobs)) {
      if (status !== 'succeeded' || agentId === null) continue;
      const name = names.get(agentId) ?? agentId;
      counts[name] = (counts[name] ?? 0) + 1;
    }
  }
  return counts;
}

function outputOf<Output>({ steps }: WorkflowView, name: string): Output {
  return steps.find((step) => step.name === name)?.output as Json as Output;
}
