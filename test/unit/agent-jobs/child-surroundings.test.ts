import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { childEnvironment } from '../../../agent/jobs/environment.ts';
import { executorLog, plainFields } from '../../../agent/jobs/log.ts';
import { LastLines, onLines } from '../../../agent/jobs/output-lines.ts';
import { signalGroup } from '../../../agent/jobs/process-group.ts';

it('the environment is an allow-list', () => {
  const source = { PATH: '/bin', HOME: '/h', SECRET: 's', WANTED: 'w' };
  expect(childEnvironment(source, ['WANTED', 'MISSING'], { CUDA_VISIBLE_DEVICES: 'GPU-1' })).toEqual({
    ...{ PATH: '/bin', HOME: '/h', WANTED: 'w', CUDA_VISIBLE_DEVICES: 'GPU-1' },
  });
});

it('output becomes lines, whole characters and bounded', async () => {
  const stream = new PassThrough();
  const lines: string[] = [];
  onLines(stream, (line) => lines.push(line));
  const text = Buffer.from('grün\r\n\nhalf');
  for (const byte of text) stream.write(Buffer.of(byte));
  stream.end(`-done\n${'x'.repeat(9000)}`);
  await new Promise((end) => stream.on('close', end));
  expect(lines.slice(0, 2)).toEqual(['grün', 'half-done']);
  expect(lines.slice(2).map((line) => line.length)).toEqual([4000, 4000, 1000]);
});

it('only the last lines are kept', () => {
  const last = new LastLines();
  for (let i = 0; i < 100; i++) last.add(`line ${i}`);
  expect(String(last).split('\n')).toHaveLength(12);
  expect(String(last)).toMatch(/line 99$/);
  last.clear();
  expect(String(last)).toBe('');
});

it('log fields are plain JSON whatever is in them', () => {
  const loop: Record<string, unknown> = {};
  loop['loop'] = loop;
  expect(plainFields(loop)).toEqual({ unloggable: true });
  expect(plainFields({ n: 2n, f: () => {}, e: new TypeError('t') })).toMatchObject({
    n: '2',
    e: { name: 'TypeError' },
  });
  const seen: unknown[] = [];
  executorLog((...call) => seen.push(call)).info('m');
  expect(seen).toEqual([['info', 'm', {}]]);
});

it('a process that never started has no group to signal', () => {
  expect(signalGroup(0, 'SIGKILL')).toBe(false);
  expect(signalGroup(1, 'SIGKILL')).toBe(false);
});
