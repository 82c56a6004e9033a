/** Layers, sources, secrets, suggestions: what `config show` and exit 78 rest on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigError } from '../../../runtime/config-error.ts';
import { configPaths, readConfigFiles } from '../../../runtime/config-file.ts';
import { defineSettings, loadConfig } from '../../../runtime/config.ts';
import type { ConfigSources } from '../../../runtime/config.ts';
import { exitCodeFor } from '../../../runtime/exit-codes.ts';
import { duration, text, toggle, wholeNumber } from '../../../runtime/setting-types.ts';

const folder = mkdtempSync(join(tmpdir(), 'dibs-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const SETTINGS = defineSettings({
  listen: { schema: text, default: '127.0.0.1:7700', doc: 'Where it listens.' },
  drainTimeout: { schema: duration, default: '30s', doc: 'How long a drain may take.' },
  concurrency: { schema: wholeNumber(1, 64), doc: 'Jobs at once.' },
  telemetry: { schema: toggle, default: true, doc: 'Whether it reports.' },
  token: { schema: text, secret: true, doc: 'The token.' },
  redisUrl: { schema: text, env: 'REDIS_URL', doc: 'Where Redis is.' },
});

const load = (sources: ConfigSources) => loadConfig(SETTINGS, sources);

function problems(sources: ConfigSources): readonly string[] {
  try {
    load(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('a value', () => {
  test('comes from the strongest layer that has it, and says from which', () => {
    const files = [
      { path: '/etc/a.yaml', values: { listen: 'system', 'drain-timeout': '1m', concurrency: 2 } },
      { path: '/home/b.yaml', values: { drain_timeout: '2m', concurrency: 3, telemetry: false } },
    ];
    const { values, shown } = load({
      flags: { concurrency: '5' },
      env: { DIBS_TELEMETRY: 'yes', REDIS_URL: 'redis://x' },
      files,
    });
    expect(values).toEqual({
      listen: 'system',
      drainTimeout: 120_000,
      concurrency: 5,
      telemetry: true,
      token: undefined,
      redisUrl: 'redis://x',
    });
    expect(Object.fromEntries(shown.map(({ key, source }) => [key, source]))).toEqual({
      listen: 'file /etc/a.yaml',
      'drain-timeout': 'file /home/b.yaml',
      concurrency: 'flag --concurrency',
      telemetry: 'env DIBS_TELEMETRY',
      token: 'default',
      'redis-url': 'env REDIS_URL',
    });
  });

  test('DIBS_REDIS_URL wins over REDIS_URL', () => {
    expect(load({ env: { DIBS_REDIS_URL: 'ours', REDIS_URL: 'theirs' } }).values.redisUrl).toBe('ours');
  });

  test('an empty variable counts as not set', () => {
    expect(load({ env: { DIBS_LISTEN: '' } }).values.listen).toBe('127.0.0.1:7700');
  });
});

describe('mistakes', () => {
  test('are reported all together, each with its source, and end with 78', () => {
    const found = problems({
      flags: { concurrency: 'many' },
      env: { DIBS_DRAIN_TIMEOUT: '30' },
      files: [{ path: 'a.yaml', values: { telemetry: 'perhaps', lisen: 'x' } }],
    });
    expect(found).toEqual([
      'a.yaml: there is no setting "lisen"; did you mean "listen"?',
      'drain-timeout (env DIBS_DRAIN_TIMEOUT) must be a duration such as 250ms, 30s, 5m or 1h30m',
      'concurrency (flag --concurrency) must be a whole number from 1 to 64',
      'telemetry (file a.yaml) must be true or false',
    ]);
    expect(exitCodeFor(new ConfigError(found))).toBe(78);
  });

  test('a key like nothing known gets no suggestion', () => {
    expect(problems({ files: [{ path: 'a.yaml', values: { zebra: 1 } }] })).toEqual([
      'a.yaml: there is no setting "zebra".',
    ]);
  });

  test('an unknown variable is a warning only', () => {
    expect(
      load({ env: { DIBS_LISTN: 'x', DIBS_LOG_LEVEL: 'info', PATH: '/bin' }, knownEnv: ['DIBS_LOG_LEVEL'] })
        .warnings,
    ).toEqual(['The variable DIBS_LISTN is not one of this program\'s; did you mean "DIBS_LISTEN"?']);
  });
});

describe('a secret', () => {
  test('may lie in a file, and is never shown', () => {
    const { values, shown } = load({ env: { DIBS_TOKEN_FILE: file('token', 's3cret\n') } });
    expect(values.token).toBe('s3cret');
    expect(JSON.stringify(shown)).not.toContain('s3cret');
    expect(shown.find(({ key }) => key === 'token')).toMatchObject({ value: '(set)' });
  });

  test('set both ways is a mistake; an unreadable or empty file too', () => {
    expect(problems({ env: { DIBS_TOKEN: 'a', DIBS_TOKEN_FILE: 'b' } })[0]).toMatch(/token is set twice/);
    expect(problems({ files: [{ path: 'a.yaml', values: { 'token-file': '/nowhere' } }] })[0]).toMatch(
      /token \(file a\.yaml\): \/nowhere cannot be used/,
    );
    expect(problems({ flags: { tokenFile: file('empty', '\n') } })[0]).toMatch(/the file is empty/);
  });

  test('only secrets have the file form', () => {
    expect(problems({ files: [{ path: 'a.yaml', values: { 'listen-file': 'x' } }] })).toHaveLength(1);
  });
});

describe('files', () => {
  test('are looked for in /etc and in the home of the user', () => {
    expect(configPaths('agent', { HOME: '/home/u' })).toEqual([
      '/etc/dibs/agent.yaml',
      '/home/u/.config/dibs/agent.yaml',
    ]);
    expect(configPaths('agent', { XDG_CONFIG_HOME: '/x' })[1]).toBe('/x/dibs/agent.yaml');
  });

  test('are YAML or JSON; one that was named must exist', () => {
    expect(
      readConfigFiles([
        join(folder, 'none.yaml'),
        file('a.yaml', 'listen: x\n'),
        file('b.json', '{"concurrency": 2}'),
      ]),
    ).toMatchObject([{ values: { listen: 'x' } }, { values: { concurrency: 2 } }]);
    expect(() => readConfigFiles([], join(folder, 'none.yaml'))).toThrow(/cannot be read/);
    expect(readConfigFiles([file('nothing.yaml', '# only a comment\n')])).toMatchObject([{ values: {} }]);
  });

  test('that cannot be read as settings are refused with the place', () => {
    expect(() => readConfigFiles([file('bad.yaml', 'a: [1, 2\nb: 3\n')])).toThrow(/bad\.yaml: .*line \d/);
    expect(() => readConfigFiles([file('twice.yaml', 'a: 1\na: 2\n')])).toThrow(/unique/);
    expect(() => readConfigFiles([file('list.yaml', '- a\n')])).toThrow(/must hold settings/);
  });
});
