/**
 * Who shares the fleet: the tenants, what each may claim of it, and which token is whose.
 *
 * Invariants:
 * 1. Identity comes from the credential alone. Without any token everybody is the default tenant; a token that is no tenant's own
 *    is the default tenant's.
 * 2. A tenant that is not configured has weight 1, no cap and every priority.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parse } from 'yaml';
import { tokenCheck } from '../runtime/auth.ts';
import type { TokenCheck } from '../runtime/auth.ts';
import { ConfigError } from '../runtime/config-error.ts';

export const DEFAULT_TENANT = 'default';
/** Weights are kept in thousandths. */
const UNIT = 1000;
/** Weight of a tenant that is not configured, thousandths. */
export const DEFAULT_WEIGHT = UNIT;

export const PRIORITIES = ['low', 'normal', 'high'] as const;

export interface TenantConfig {
  /** As workflows keep it; letters, digits and `_ . -`. */
  readonly name: string;
  readonly tokens?: readonly string[];
  /** Share of each queue while several tenants wait in it: weight 2 gets twice what weight 1 gets. 0.001 to 1,000; default 1. */
  readonly weight?: number;
  /** Jobs it may have running at once, over the whole fleet; default any number. */
  readonly maxRunning?: number;
  /** Highest priority its steps may have; default high. */
  readonly maxPriority?: (typeof PRIORITIES)[number];
}

export class Tenants {
  readonly #byName: ReadonlyMap<string, TenantConfig>;
  readonly #checks: readonly { readonly name: string; readonly check: TokenCheck }[];

  constructor(configs: readonly TenantConfig[]) {
    this.#byName = new Map(configs.map((config) => [config.name, config]));
    this.#checks = configs.flatMap(({ name, tokens = [] }) =>
      tokens.length === 0 ? [] : [{ name, check: tokenCheck(...tokens) }],
    );
  }

  /** Whether any tenant has a token of its own. */
  get haveTokens(): boolean {
    return this.#checks.length > 0;
  }

  /** Whose token this is; undefined = no tenant's own. */
  ownerOf(token: string | undefined): string | undefined {
    let owner: string | undefined;
    // All are compared, so that time does not tell whose it is.
    for (const { name, check } of this.#checks) if (check(token)) owner = name;
    return owner;
  }

  /** Thousandths. */
  weightOf(tenant: string): number {
    const weight = this.#byName.get(tenant)?.weight;
    return weight === undefined ? DEFAULT_WEIGHT : Math.max(1, Math.round(weight * UNIT));
  }

  /** Highest band its steps may have: 0 low, 1 normal, 2 high. */
  maxBandOf(tenant: string): number {
    return PRIORITIES.indexOf(this.#byName.get(tenant)?.maxPriority ?? 'high');
  }

  /** Tenants with a cap, and the cap. */
  get caps(): ReadonlyMap<string, number> {
    const caps = new Map<string, number>();
    for (const { name, maxRunning } of this.#byName.values())
      if (maxRunning !== undefined) caps.set(name, maxRunning);
    return caps;
  }
}

const FILE = z.strictObject({
  tenants: z.array(
    z.strictObject({
      name: z.string().regex(/^[A-Za-z0-9][\w.-]{0,63}$/, 'has letters, digits and _ . - (at most 64)'),
      token: z.string().min(1).optional(),
      tokens: z.array(z.string().min(1)).optional(),
      tokenFile: z.string().min(1).optional(),
      weight: z.number().min(0.001).max(1000).optional(),
      maxRunning: z.number().int().min(1).max(1_000_000).optional(),
      maxPriority: z.enum(PRIORITIES).optional(),
    }),
  ),
});

/** Tenants of a YAML or JSON file; throws a ConfigError with every mistake. */
export function readTenants(path: string): TenantConfig[] {
  let value: unknown;
  try {
    value = parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError([`tenants: ${path}: ${(error as Error).message}`]);
  }
  const read = FILE.safeParse(value);
  if (!read.success)
    throw new ConfigError(
      read.error.issues.map(
        ({ path: at, message }) => `tenants: ${path}: ${at.join('.') || 'file'} ${message}`,
      ),
    );
  const names = new Set<string>();
  return read.data.tenants.map(({ token, tokens = [], tokenFile, ...rest }) => {
    if (names.has(rest.name)) throw new ConfigError([`tenants: ${path}: "${rest.name}" is there twice`]);
    names.add(rest.name);
    const all = [
      ...tokens,
      ...(token === undefined ? [] : [token]),
      ...(tokenFile === undefined ? [] : [secretIn(tokenFile)]),
    ];
    return { ...withoutUndefined(rest), tokens: all };
  });
}

function secretIn(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new ConfigError([`tenants: ${path}: ${(error as Error).message}`]);
  }
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never;
}
