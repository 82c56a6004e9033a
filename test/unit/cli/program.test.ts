import { describe, expect, it } from 'vitest';
import { runCli } from '../../../cli/program.ts';
import { fakeIo } from '../../support/fake-io.ts';

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = fakeIo();
  const code = await runCli(args, io);
  await new Promise(setImmediate);
  return { code, out: io.out(), err: io.err() };
}

describe('dibs', () => {
  it('prints help on standard output', async () => {
    const { code, out, err } = await run('--help');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('Exit codes: 0 ok');
    expect((await run('workflow', 'submit', '--help')).out).toContain('{"$file": "photo.jpg"}');
  });

  it.each([
    [['workflw'], "unknown command 'workflw'\n(Did you mean workflow?)"],
    [['workflow', 'get'], "missing required argument 'id'"],
    [['workflow', 'list', '--limit', '0'], 'It is no whole number from 1 to 100000.'],
    [['workflow', 'list', '--timeout', 'soon'], 'It is no duration such as 30s'],
    [['workflow', 'list', '--status', 'gone'], 'There is no state "gone".'],
    [['workflow', 'list', '--coordinator', 'nowhere'], 'is not host:port'],
    [['workflow', 'list', '-o', 'xml'], 'Allowed choices are table, wide, json, yaml, name.'],
    [['workflow', 'submit'], 'Name a file with the workflow'],
    [['workflow', 'submit', 'x.yaml', '--type', 'a'], '--type describes a step'],
    [['workflow', 'submit', '--type', 'a', '--wait', '--watch'], 'cannot be used with option'],
    [['workflow', 'submit', '--type', 'a', '--arg', 'novalue'], 'It is no name=value.'],
    [['dev', '--listen', 'here:'], '--listen'],
  ])('takes %j for a mistake of the caller', async (args, sentence) => {
    const { code, out, err } = await run(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(sentence);
    expect(err).toMatch(/^dibs: /);
  });

  it('prints its version', async () => {
    const { out } = await run('version');
    expect(out).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(JSON.parse((await run('version', '-o', 'json')).out)).toMatchObject({ version: out.trim() });
  });

  it("shows the coordinator's settings and where they come from, secrets hidden", async () => {
    const io = fakeIo({ env: { DIBS_TOKEN: 'hush', REDIS_URL: 'redis://r:1', HOME: '/nonexistent' } });
    expect(await runCli(['coordinator', 'config', '--lease', '3m'], io)).toBe(0);
    await new Promise(setImmediate);
    expect(io.out()).toMatch(/^lease +3m +flag --lease$/m);
    expect(io.out()).toMatch(/^redis-url +redis:\/\/r:1 +env REDIS_URL$/m);
    expect(io.out()).toMatch(/^token +\(set\) +env DIBS_TOKEN$/m);
    expect(io.out()).not.toContain('hush');
  });

  it('ends with 78 for settings that cannot be used', async () => {
    const { code, err } = await run('coordinator', 'start', '--lease', '3', '--listen', 'x:y:z');
    expect(code).toBe(78);
    expect(err).toContain('lease');
    expect(err).toContain('listen');
  });

  it.each([[['coordinator', 'start']], [['coordinator', 'check']], [['dev', '--listen', '127.0.0.1:0']]])(
    '%j takes the times, and refuses those that cannot work, naming both, before anything starts',
    async (command) => {
      const { code, err } = await run(...command, '--lease', '40s', '--heartbeat-interval', '30s');
      expect(code).toBe(78);
      expect(err).toContain('heartbeat-interval (30s)');
      expect(err).toContain('lease (40s)');
    },
  );
});
