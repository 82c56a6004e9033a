/** The helpers of the tests themselves: waiting, processes, and finding those left behind. */
import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { settle } from '../../support/leaks.ts';
import { isAlive, startedBy } from '../../support/processes.ts';
import { startCommand } from '../../support/proc.ts';
import { until, untilEvent } from '../../support/until.ts';

const node = (script: string) => startCommand(process.execPath, { args: ['-e', script] });
const FOREVER = 'setInterval(() => {}, 1000)';

describe('until', () => {
  test('gives the first truthy result, through errors', async () => {
    let calls = 0;
    const value = await until('three', () => {
      calls += 1;
      if (calls === 1) throw new Error('not yet');
      return calls > 2 ? { calls } : undefined;
    });
    expect(value).toEqual({ calls: 3 });
  });

  test('says what it waited for and what it saw last', async () => {
    await expect(until('the moon', () => false, { timeoutMs: 20 })).rejects.toThrow(
      'Waited 20 ms for the moon; last seen: false',
    );
    await expect(
      until('the moon', () => Promise.reject(new Error('clouds')), { timeoutMs: 20 }),
    ).rejects.toThrow(/clouds/);
  });

  test('of an event takes the first accepted one', async () => {
    const emitter = new EventEmitter();
    const waiting = untilEvent<number>(emitter, 'n', { accept: (n) => n > 1 });
    for (const n of [1, 2, 3]) emitter.emit('n', n);
    expect(await waiting).toBe(2);
    await expect(untilEvent(emitter, 'never', { timeoutMs: 10 })).rejects.toThrow("'never'");
    expect(emitter.listenerCount('n') + emitter.listenerCount('never')).toBe(0);
  });
});

describe('a process', () => {
  test('is waited for by lines, past and to come, on both streams', async () => {
    await using proc = node(
      `console.log('one'); console.error('two 42'); console.log('{"three":3}'); ${FOREVER}`,
    );
    expect((await proc.line(/^two (\d+)$/))[1]).toBe('42');
    expect(await proc.json<{ three: number }>()).toEqual({ three: 3 });
    expect((await proc.line(/^one$/))[0]).toBe('one');
  });

  test('that ends first fails the wait, with all it said', async () => {
    await using proc = node(`console.log('last words'); process.exitCode = 3`);
    await expect(proc.line(/never/)).rejects.toThrow(
      /ended \(3\) before it said a line like \/never\/\. It said:\nlast words/,
    );
    await proc.exitsWith(3);
    await expect(proc.exitsWith(0)).rejects.toThrow('ended with 3, not with 0');
  });

  test('that says nothing fails the wait at its deadline', async () => {
    await using proc = node(FOREVER);
    await expect(proc.line(/never/, { timeoutMs: 50 })).rejects.toThrow(/within 50 ms/);
    await expect(proc.exit(50)).rejects.toThrow(/has not ended within 50 ms/);
  });

  test('is killed when its scope ends', async () => {
    let pid = 0;
    {
      await using proc = node(FOREVER);
      pid = proc.pid;
      expect(isAlive(pid)).toBe(true);
    }
    expect(isAlive(pid)).toBe(false);
  });

  test('that cannot be started says so', async () => {
    await using proc = startCommand('/nowhere/to/be/found');
    await expect(proc.line(/x/)).rejects.toThrow(/ENOENT/);
  });
});

test('children are found, also detached ones whose parent is gone', async () => {
  const script = `const c = require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(FOREVER)}], { detached: true, stdio: 'ignore' }); c.unref(); console.log(c.pid)`;
  await using parent = node(script);
  const pid = Number((await parent.line(/^\d+$/))[0]);
  await parent.exitsWith(0);
  // Outside Linux only descendants are found.
  if (process.platform === 'linux') {
    expect(startedBy(process.pid, process.env['DIBS_TEST_FILE'] ?? '').map((found) => found.pid)).toContain(
      pid,
    );
  }
  process.kill(pid, 'SIGKILL');
  expect(await settle()).toEqual([]);
});
