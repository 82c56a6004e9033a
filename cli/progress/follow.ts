/**
 * Follows workflows to their end and shows how far they are: redrawn bars on a terminal, a line a change off it.
 *
 * `dibs workflow watch`, `--wait`, `--watch` and the demo draw with it; several workflows share one region.
 */
import { WorkflowProgress } from '../../sdk/client/index.ts';
import type { DibsClient, WatchEvent, WorkflowView } from '../../sdk/client/index.ts';
import { say } from '../io.ts';
import type { Io } from '../io.ts';
import { paint } from '../output/paint.ts';
import { LiveRegion } from './live-region.ts';
import { progressLines, stepLine } from './progress-lines.ts';

export interface Followed {
  readonly workflow: WorkflowView;
  /** Default the workflow's name, else its id. */
  readonly title?: string;
}

export interface FollowOptions {
  readonly signal: AbortSignal;
  /** Every event, as it comes; drawing nothing itself. */
  readonly onEvent?: (event: WatchEvent, workflowId: string) => void;
  /** What to show: bars (lines off a terminal), or nothing. Default bars. */
  readonly show?: 'bars' | 'nothing';
}

interface Track {
  readonly title: string;
  readonly progress: WorkflowProgress;
  readonly startedAt: number;
  endedAt: number | undefined;
}

/** Resolves when all have ended; how they ended is the caller's to read. */
export async function follow(
  client: DibsClient,
  io: Io,
  followed: readonly Followed[],
  { signal, onEvent = () => undefined, show = 'bars' }: FollowOptions,
): Promise<void> {
  const tracks = followed.map(({ workflow, title }): Track => {
    const startedAt = workflow.createdAt?.getTime() ?? Date.now();
    return {
      title: title ?? (workflow.name || workflow.id),
      progress: new WorkflowProgress(workflow),
      startedAt,
      endedAt: undefined,
    };
  });
  const painter = paint(io.color.stderr);
  const draw = (): string[] => tracks.flatMap((track) => drawTrack(track, io.columns(), painter));
  const region = io.live && show === 'bars' ? new LiveRegion(io.stderr, draw) : undefined;
  try {
    await Promise.all(
      followed.map(async ({ workflow }, index) => {
        const track = tracks[index] as Track;
        for await (const event of client.watch(workflow.id, { signal })) {
          track.progress.apply(event);
          onEvent(event, workflow.id);
          region?.update();
          if (region === undefined && show === 'bars') sayChange(io, track, event, tracks.length > 1);
        }
        track.endedAt = Date.now();
      }),
    );
  } finally {
    region?.finish();
  }
}

function drawTrack(
  { title, progress, startedAt, endedAt }: Track,
  columns: number,
  painter: ReturnType<typeof paint>,
): string[] {
  const elapsedMs = Math.max(0, (endedAt ?? Date.now()) - startedAt);
  return progressLines(
    { title, status: progress.status, steps: progress.steps, elapsedMs },
    { columns, paint: painter },
  );
}

/** Starts and ends of steps; jobs would be too many. */
function sayChange(io: Io, { title, progress }: Track, event: WatchEvent, several: boolean): void {
  const prefix = several ? `${title} ` : '';
  if (event.type === 'resync')
    return say(io, `${prefix}the coordinator's store lost events; starting over from its state`);
  if (event.jobId !== null || event.type === 'step.ready') return;
  if (event.step === null)
    return say(io, `${prefix}${event.type}${event.reason === null ? '' : ` ${event.reason}`}`);
  const step = progress.steps.find(({ name }) => name === event.step);
  if (step !== undefined)
    say(
      io,
      `${prefix}${stepLine(step)}${event.reason === null ? '' : ` ${event.reason}: ${event.message ?? ''}`}`,
    );
}
