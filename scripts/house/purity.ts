/**
 * Modules that decide and do nothing else: no I/O, no clock, no randomness. Time, random numbers and ids
 * reach them as parameters, which is what lets a test or a replay give the same answer twice.
 *
 * The rule covers what a pure module imports at run time too: a module is no purer than what it calls.
 */
import type { Import, Use } from './source.ts';

const PURE: readonly RegExp[] = [
  /^coordinator\/workflow\/(graph|refs|conditions|step-machine|workflow-machine|engine|planner|spec|problems)[^/]*(\.ts|\/)/,
  /^coordinator\/queue\/(rank|match|position)[^/]*(\.ts|\/)/,
  /^coordinator\/progress\/formula[^/]*(\.ts|\/)/,
  /^sdk\/common\//,
  /^agent\/claim\/slots[^/]*(\.ts|\/)/,
];

export function isPure(path: string): boolean {
  return PURE.some((pattern) => pattern.test(path));
}

/** Built-in modules that only compute; the names limit what may be taken from one. */
const COMPUTING_BUILTINS: Readonly<Record<string, readonly string[] | 'all'>> = {
  'node:assert': 'all',
  'node:buffer': 'all',
  'node:util': 'all',
  'node:crypto': ['createHash', 'createHmac', 'hash', 'timingSafeEqual'],
};

const TALKING_PACKAGES: readonly string[] = [
  'ioredis',
  'bullmq',
  'pino',
  'pidusage',
  'systeminformation',
  'sharp',
  'fastify',
  'grpc-health-check',
];

/** Why a pure module may not have this import, or undefined when it may. Relative ones are followed instead. */
export function impureImport({ specifier, names }: Import): string | undefined {
  if (specifier.startsWith('node:')) {
    const allowed = Object.hasOwn(COMPUTING_BUILTINS, specifier) ? COMPUTING_BUILTINS[specifier] : undefined;
    if (allowed === 'all') return undefined;
    if (allowed && names.length > 0 && names.every((name) => allowed.includes(name))) return undefined;
    return allowed ? `imports more than ${allowed.join(', ')} from ${specifier}` : `imports ${specifier}`;
  }
  const talks = specifier.startsWith('@grpc/') || TALKING_PACKAGES.includes(specifier.split('/')[0] ?? '');
  return talks ? `imports ${specifier}` : undefined;
}

const IMPURE_CALLS: readonly string[] = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'fetch',
  'Date',
];
const IMPURE_OBJECTS: readonly string[] = ['process', 'performance', 'crypto', 'console', 'globalThis'];
const IMPURE_MEMBERS: readonly string[] = ['Date.now', 'Math.random'];

/** Why a pure module may not use this global, or undefined when it may. */
export function impureUse(use: Use): string | undefined {
  switch (use.kind) {
    case 'call':
      return IMPURE_CALLS.includes(use.name) ? `calls ${use.name}()` : undefined;
    case 'construct':
      return use.name === 'Date' && use.argumentCount === 0 ? 'reads the clock with new Date()' : undefined;
    case 'member': {
      const whole = `${use.name}.${use.member}`;
      return IMPURE_OBJECTS.includes(use.name) || IMPURE_MEMBERS.includes(whole)
        ? `uses ${whole}`
        : undefined;
    }
  }
}
