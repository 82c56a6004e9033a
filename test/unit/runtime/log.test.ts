/** Log lines: the agreed fields in JSON, short lines for people, no credentials, no escape sequences. */
import { expect, test } from 'vitest';
import { createLogger } from '../../../runtime/log.ts';
import type { LogOptions } from '../../../runtime/log.ts';

function logged(
  write: (log: ReturnType<typeof createLogger>) => void,
  options: Partial<LogOptions> = {},
): string[] {
  const lines: string[] = [];
  write(
    createLogger({
      component: 'test',
      level: 'info',
      format: 'json',
      destination: { write: (line) => void lines.push(line) },
      ...options,
    }),
  );
  return lines;
}

test('JSON has time, level, msg and component by their names', () => {
  const [line = ''] = logged((log) =>
    log.child({ agentId: 'agent_1' }).warn({ jobId: 'job_1', durationMs: 5 }, 'slow'),
  );
  expect(JSON.parse(line)).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    level: 'warn',
    component: 'test',
    agentId: 'agent_1',
    jobId: 'job_1',
    durationMs: 5,
    msg: 'slow',
  });
});

test('errors carry message and stack', () => {
  const [line = ''] = logged((log) => log.error({ err: new TypeError('no') }, 'failed'));
  expect(JSON.parse(line)).toMatchObject({
    err: { type: 'TypeError', message: 'no', stack: expect.stringContaining('log.test.ts') },
  });
});

test('credentials are blotted out', () => {
  const text = logged((log) =>
    log.info({ token: 'abc', request: { authorization: 'Bearer abc' } }, 'hello'),
  ).join('');
  expect(text).not.toContain('abc');
});

test('the level comes from DIBS_LOG_LEVEL, and a mistyped one is info', () => {
  const level = (value: string): string => {
    process.env['DIBS_LOG_LEVEL'] = value;
    try {
      return createLogger({ component: 'test', destination: { write: () => undefined } }).level;
    } finally {
      delete process.env['DIBS_LOG_LEVEL'];
    }
  };
  expect(['debug', 'WARN', 'verbos', ''].map(level)).toEqual(['debug', 'warn', 'info', 'info']);
});

test('short lines read well and carry the stack below', () => {
  const lines = logged(
    (log) => {
      log.info({ jobId: 'job_1', note: 'two words', list: [1] }, 'started');
      log.error({ err: new Error('no') }, 'failed');
    },
    { format: 'short' },
  );
  expect(lines[0]).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} INFO {2}test started jobId=job_1 note="two words" list=\[1\]\n$/,
  );
  expect(lines[1]).toMatch(/ERROR test failed\n {4}Error: no\n {4} {4}at /);
});

test('escape sequences of others do not reach the terminal', () => {
  const text = logged((log) => log.info({ said: '\u001b[2Jgone' }, 'a \u001b]0;title\u0007 message'), {
    format: 'short',
  }).join('');
  expect(text).not.toMatch(/(?!\n)\p{Cc}/u);
});
