/** One process of a fleet: its log, its unexpected end, its clock, and its end with the harness. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CLOCK_ARGS, clockEnvironment, setClock } from '../../chaos/fleet/clock-jump.ts';
import { Member } from '../../chaos/fleet/member.ts';
import type { MemberOptions } from '../../chaos/fleet/member.ts';
import { endReaper } from '../../chaos/fleet/reaper.ts';
import { isAlive } from '../../support/processes.ts';
import { startProc } from '../../support/proc.ts';
import { until } from '../../support/until.ts';

const HOUR_MS = 3_600_000;
const WAIT = 'setInterval(() => undefined, 1000);';

let folder: string;
const members: Member[] = [];
const findings: string[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dibs-member-'));
});
afterAll(async () => {
  await Promise.all(members.map((member) => member.stop()));
  await endReaper();
  await rm(folder, { recursive: true, force: true });
});

function member(name: string, program: string, more: Partial<MemberOptions> = {}): Member {
  const made = new Member({
    name,
    kind: 'consumer',
    logFile: join(folder, `${name}.log`),
    args: ['--eval', program],
    onUnexpectedExit: (what) => void findings.push(what),
    ...more,
  });
  members.push(made);
  return made;
}

test('what it says is kept over its lives; ready means said in this one', async () => {
  const one = member('one', `console.log('hello from', process.pid); ${WAIT}`, { ready: /hello from \d+/ });
  await one.start();
  const first = one.pid;
  await one.kill();
  expect([one.state, one.pid, one.restarts]).toEqual(['down', undefined, 0]);
  await one.start();
  expect([one.state, one.restarts]).toEqual(['up', 1]);
  expect(await readFile(one.logFile, 'utf8')).toBe(`hello from ${first}\nhello from ${one.pid}\n`);
  expect(findings).toEqual([]);
});

test('an end nobody asked for is reported with the end of the log; one that was asked for is not', async () => {
  const bad = member('bad', `console.log('last words'); process.exitCode = 3;`);
  await bad.start();
  await bad.gone();
  expect(findings.splice(0)).toEqual(['bad ended by itself (3).\nlast words\n']);

  const impatient = member('impatient', 'process.exit(0)', { ready: /never/ });
  await expect(impatient.start()).rejects.toThrow('impatient ended before it was ready.');
  expect(findings.splice(0)).toHaveLength(1);

  const obedient = member(
    'obedient',
    `process.on('SIGTERM', () => process.exit(0)); console.log('up'); ${WAIT}`,
    {
      ready: /up/,
    },
  );
  await obedient.start();
  obedient.signal('SIGTERM');
  await obedient.gone();
  const finished = member('finished', '', { mayEnd: true });
  await finished.start();
  await finished.gone();
  expect(findings).toEqual([]);
});

test('a frozen one says nothing until it is thawed', async () => {
  const frozen = member(
    'frozen',
    `process.on('SIGHUP', () => console.log('thawed')); console.log('up'); ${WAIT}`,
    {
      ready: /up/,
    },
  );
  await frozen.start();
  frozen.freeze();
  await until('it to be stopped', async () =>
    (await readFile(`/proc/${frozen.pid}/stat`, 'utf8')).includes(') T '),
  );
  frozen.signal('SIGHUP');
  expect(frozen.tail()).toBe('up\n');
  frozen.thaw();
  expect(await frozen.said(/thawed/)).toBe(true);
});

test('its clock jumps, there and back, and stays where it is over a restart', async () => {
  const program = `
    const start = performance.timeOrigin;
    const offset = () => [Date.now(), new Date().getTime(), +new (class extends Date {})()]
      .map((now) => Math.round((now - start - performance.now()) / ${HOUR_MS}));
    let last = '';
    setInterval(() => {
      const said = 'offset ' + offset().join() + ' ' + (new Date() instanceof Date) + ' ' + new Date(5).getTime();
      if (said !== last) console.log(last = said);
    }, 10);`;
  const logFile = join(folder, 'clock.log');
  const jumping = member('clock', program, {
    logFile,
    args: [...CLOCK_ARGS, '--eval', program],
    env: clockEnvironment(logFile),
  });
  await jumping.start();
  expect(await jumping.said(/^offset 0,0,0 true 5$/m)).toBe(true);
  setClock(jumping, 24 * HOUR_MS);
  expect(await jumping.said(/^offset 24,24,24 true 5$/m)).toBe(true);
  setClock(jumping, -HOUR_MS);
  expect(await jumping.said(/^offset -1,-1,-1 true 5$/m)).toBe(true);
  await jumping.kill();
  await jumping.start();
  expect(await jumping.said(/^offset/m)).toBe(true);
  expect(await readFile(logFile, 'utf8')).toMatch(/offset -1,-1,-1 true 5\n$/);
});

test('kill -9 of the harness ends its members, a frozen one too', async () => {
  const harness = startProc('test/integration/chaos/fixtures/harness.ts', { args: [folder] });
  const { pids } = await harness.json<{ pids: number[] }>();
  expect(pids.map(isAlive)).toEqual([true, true]);
  await harness.kill();
  await until('its members to be gone', () => !pids.some(isAlive));
});
