/** Colours that carry a state's meaning; plain text where colour is off. */
import { styleText } from 'node:util';
import type { StateName } from '../../sdk/client/index.ts';

type Style = Parameters<typeof styleText>[0];
export type Paint = (style: Style, text: string) => string;

export function paint(color: boolean): Paint {
  return color ? (style, text) => styleText(style, text, { validateStream: false }) : (_style, text) => text;
}

const STYLES: Readonly<Partial<Record<StateName, Style>>> = {
  processing: 'cyan',
  scheduled: 'cyan',
  preparing: 'cyan',
  succeeded: 'green',
  failed: 'red',
  expired: 'red',
  canceled: 'yellow',
  skipped: 'dim',
  waiting: 'magenta',
  paused: 'magenta',
};

export function paintStatus(painter: Paint, status: StateName, text: string = status): string {
  const style = STYLES[status];
  return style === undefined ? text : painter(style, text);
}
