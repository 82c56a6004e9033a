/** An event as one line of text, for logs and pipes. Pure. */
import type { WatchEvent } from '../../sdk/client/index.ts';
import { safe } from '../output/table.ts';

export function eventLine(event: WatchEvent): string {
  if (event.type === 'resync') {
    return `resync  the log was lost from here on; the workflow is ${event.workflow.status} now`;
  }
  const { at, type, step, jobId, agentId, reason, message, data } = event;
  const parts = [at === null ? '-' : at.toISOString(), type.padEnd(18)];
  if (step !== null) parts.push(`step=${safe(step)}`);
  if (jobId !== null) parts.push(`job=${safe(jobId)}`);
  if (agentId !== null) parts.push(`agent=${safe(agentId)}`);
  if (type === 'job.progress') parts.push(`progress=${progressOf(data)}`);
  if (type === 'job.preparing') parts.push(fileOf(data));
  if (reason !== null) parts.push(`${reason}: ${safe(message ?? '')}`);
  return parts.join('  ').trimEnd();
}

function progressOf(data: unknown): string {
  const progress = (data as { progress?: unknown } | null)?.progress;
  return typeof progress === 'number' ? `${Math.round(progress * 100)}%` : '?';
}

function fileOf(data: unknown): string {
  const { model, bytesDone = 0, bytesTotal = 0, etaMs = 0 } = (data ?? {}) as Record<string, number | string>;
  const share =
    Number(bytesTotal) > 0 ? ` ${Math.floor((100 * Number(bytesDone)) / Number(bytesTotal))}%` : '';
  const left = Number(etaMs) > 0 ? `, ${Math.ceil(Number(etaMs) / 1000)} s left` : '';
  return `model=${safe(String(model ?? '?'))}${share}${left}`;
}
