/**
 * Draws one workflow's progress: a line for the whole, a line for each step. Pure; no line is wider than the terminal,
 * because a wrapped line would break the redrawing.
 */
import type { StateName, StepProgress } from '../../sdk/client/index.ts';
import { formatDuration } from '../../sdk/common/duration.ts';
import { paintStatus } from '../output/paint.ts';
import type { Paint } from '../output/paint.ts';
import { safe } from '../output/table.ts';
import { bar } from './bar.ts';

export interface Drawn {
  readonly title: string;
  readonly status: StateName;
  readonly steps: readonly StepProgress[];
  readonly elapsedMs: number;
}

/** Steps that fit a screen; those at work come first when there are more. */
const MAX_STEPS = 12;
const MAX_BAR = 28;
const MIN_BAR = 8;

const MARKS: Readonly<Partial<Record<StateName, string>>> = {
  succeeded: '✓',
  failed: '✗',
  expired: '✗',
  canceled: '⊘',
  skipped: '–',
  processing: '▶',
};

export function progressLines(drawn: Drawn, { columns, paint }: { columns: number; paint: Paint }): string[] {
  const { title, status, steps, elapsedMs } = drawn;
  const shown = mostTelling(steps);
  const names = Math.min(24, Math.max(4, ...shown.map(({ name }) => name.length)));
  const counts = Math.max(3, ...shown.map((step) => countText(step).length));
  const barWidth = Math.min(MAX_BAR, columns - 1 - (4 + names + 2 + 1 + counts + 1 + 14));
  const head = cut(`${safe(title)}  ${status}  ${formatDuration(elapsedMs)}`, columns - 3);
  const lines = [`${paintStatus(paint, status, MARKS[status] ?? '·')} ${paint('bold', head)}`];
  for (const step of shown) {
    const mark = MARKS[step.status] ?? (step.running > 0 ? '▶' : '·');
    const plain = `${cut(safe(step.name), names).padEnd(names)}  `;
    const drawnBar = barWidth >= MIN_BAR ? `${bar(step.fraction, barWidth)} ` : '';
    const rest = cut(
      `${countText(step).padStart(counts)} ${note(step)}`,
      Math.max(0, columns - 5 - names - 2 - drawnBar.length),
    );
    lines.push(
      `  ${paintStatus(paint, step.status, mark)} ${plain}${paintStatus(paint, step.status, drawnBar)}${rest}`.trimEnd(),
    );
  }
  if (steps.length > shown.length) lines.push(`    … and ${steps.length - shown.length} more steps`);
  return lines;
}

/** One line for where nothing can be redrawn. */
export function stepLine(step: StepProgress): string {
  const done = countText(step);
  return `${safe(step.name)}: ${step.status}${done === '' ? '' : ` (${done} jobs${note(step) === '' ? '' : `, ${note(step)}`})`}`;
}

function countText({ total, succeeded }: StepProgress): string {
  return total === 0 ? '' : `${succeeded}/${total}`;
}

function note({ running, failed, status }: StepProgress): string {
  if (failed > 0) return `${failed} failed`;
  if (running > 0) return `${running} running`;
  return status === 'skipped' || status === 'canceled' ? status : '';
}

function mostTelling(steps: readonly StepProgress[]): readonly StepProgress[] {
  if (steps.length <= MAX_STEPS) return steps;
  const weight = ({ status, running }: StepProgress): number =>
    status === 'failed' || status === 'expired'
      ? 0
      : running > 0 || status === 'processing'
        ? 1
        : status === 'succeeded'
          ? 3
          : 2;
  const kept = new Set(steps.toSorted((a, b) => weight(a) - weight(b)).slice(0, MAX_STEPS));
  return steps.filter((step) => kept.has(step));
}

function cut(text: string, width: number): string {
  const letters = [...text];
  return letters.length <= width ? text : `${letters.slice(0, Math.max(0, width - 1)).join('')}…`;
}
