/**
 * Which write a command to Redis is. What is not known to be a read counts as a write, so that a new one shows up by
 * itself.
 *
 * Most scripts say in their arguments what they do. For the others (`claim`, `complete`, `due`, `sweep`) Redis is asked
 * first: a due loop that finds nothing and one that takes back an offer are different points.
 */
import { hash } from 'node:crypto';
import { unpack } from '../../../coordinator/queue/codec.ts';
import { SCRIPT_NAMES } from '../../../coordinator/queue/gen/scripts.ts';
import type { ScriptName } from '../../../coordinator/queue/gen/scripts.ts';
import type { AcceptItem, ClaimAsk, CompleteItem, DecideItem } from '../../../coordinator/queue/items.ts';
import { SOLO_MARK } from '../../../coordinator/queue/records.ts';
import { AgentState } from '../../../proto/gen/index.ts';
import { SET, SET_MISSING } from '../../../coordinator/queue/small-writes.ts';
import { scriptSource } from '../../../coordinator/queue/scripts.ts';
import { State, isTerminal } from '../../../sdk/common/states.ts';

const READS = new Set(
  [
    ...[
      'get',
      'mget',
      'exists',
      'type',
      'ttl',
      'scan',
      'hget',
      'hmget',
      'hgetall',
      'hlen',
      'hexists',
      'hscan',
    ],
    ...[
      'zrange',
      'zrangebyscore',
      'zrank',
      'zscore',
      'zcard',
      'zcount',
      'lrange',
      'llen',
      'lindex',
      'smembers',
    ],
    ...[
      'ping',
      'info',
      'config',
      'client',
      'command',
      'hello',
      'auth',
      'select',
      'time',
      'cluster',
      'readonly',
    ],
    ...[
      'subscribe',
      'psubscribe',
      'ssubscribe',
      'unsubscribe',
      'punsubscribe',
      'sunsubscribe',
      'quit',
      'script',
    ],
    ...['xread', 'xrange', 'xlen', 'memory', 'dbsize', 'role', 'wait'],
  ].map((name) => name.toUpperCase()),
);

/** What a script that writes has in its source, the libraries it uses included. */
const WRITING = /\b(?:call|bulk)\('(?:HSET|HDEL|HINCRBY|ZADD|ZREM|RPUSH|LPUSH|SET|DEL|XADD|EXPIRE|SPUBLISH)/;

const SOURCES: ReadonlyMap<ScriptName, string> = new Map(
  SCRIPT_NAMES.map((name) => [name, scriptSource(name)]),
);

export const WRITING_SCRIPTS = SCRIPT_NAMES.filter((name) => WRITING.test(SOURCES.get(name) ?? ''));

const NAMES: ReadonlyMap<string, ScriptName> = new Map(
  [...SOURCES].map(([name, source]) => [hash('sha1', source, 'hex'), name]),
);

/** Scripts that stand for one plain command. */
const PLAIN: ReadonlyMap<string, string> = new Map([
  [hash('sha1', SET, 'hex'), 'HSET'],
  [hash('sha1', SET_MISSING, 'hex'), 'HSETNX'],
]);

/** BullMQ's own connection: its commands are one group of points. */
const CHORES = '{dibs-chores}';

/** The few reads that tell what a script is about to do. */
export interface Peek {
  zcard(key: string): Promise<number>;
  zrangebyscore(key: string, min: string, max: number): Promise<string[]>;
  hgetBuffer(key: string, field: string): Promise<Buffer | null>;
}

export interface Write {
  /** What the arguments tell. */
  readonly kinds: readonly string[];
  /** Where they do not tell enough. */
  readonly ask?: (peek: Peek) => Promise<readonly string[]>;
}

/** Undefined for a read. */
export function writeOf(name: string, given: readonly unknown[]): Write | undefined {
  const command = name.toUpperCase();
  if (READS.has(command)) return undefined;
  const args = given as readonly (string | Buffer)[];
  if (args.some((arg) => typeof arg === 'string' && arg.includes(CHORES))) return { kinds: ['chores'] };
  if (command === 'EVALSHA' || command === 'EVAL') {
    const sha = command === 'EVALSHA' ? String(args[0]) : hash('sha1', String(args[0]), 'hex');
    const plain = PLAIN.get(sha);
    if (plain !== undefined) return { kinds: [plainKind(plain, args.slice(2))] };
    const script = NAMES.get(sha);
    return script === undefined
      ? { kinds: [`${command} ${sha}`] }
      : scriptWrite(script, String(args[2]).slice(0, -1), unpack<unknown[]>(args[3] as Buffer));
  }
  return { kinds: [plainKind(command, args)] };
}

/** `HSET agents:lost`, `HSETNX creation:cells`. */
function plainKind(command: string, args: readonly (string | Buffer)[]): string {
  const key = String(args[0] ?? '').replace(/^.*[}:]([^:]+)$/, '$1');
  if (command === 'HSET' && key === 'agents') return `HSET agents:${agentState(String(args[2]))}`;
  return command === 'HSETNX' ? `${command} ${key}:${String(args[1])}` : `${command} ${key}`;
}

function agentState(record: string): string {
  const { state } = JSON.parse(record) as { state: AgentState };
  const name = Object.entries(AgentState).find(([, code]) => code === state)?.[0] ?? String(state);
  return name.replace('AGENT_STATE_', '').toLowerCase();
}

function scriptWrite(script: ScriptName, prefix: string, args: readonly unknown[]): Write | undefined {
  if (!WRITING_SCRIPTS.includes(script)) return undefined;
  switch (script) {
    case 'log':
      // Without a watcher it signs nobody up.
      return args[3] === '' ? undefined : { kinds: ['log'] };
    case 'submit': {
      const [, , items, , , solos] = args as [string, string, unknown[], unknown[], unknown[], unknown[]];
      return kinds(script, [items.length > 0 && 'general', (solos ?? []).length > 0 && 'solo']);
    }
    case 'accept':
      return kinds(
        script,
        (args[3] as AcceptItem[]).map(([, , startAge]) => (startAge >= 0 ? 'started' : 'held')),
      );
    case 'decide':
      return kinds(script, (args[2] as DecideItem[]).flatMap(decisionKinds));
    case 'claim':
      return { kinds: [], ask: (peek) => claimKinds(prefix, args[6] as ClaimAsk[], peek) };
    case 'complete':
      return { kinds: [], ask: (peek) => completionKinds(prefix, args[2] as CompleteItem[], peek) };
    case 'due':
      return { kinds: [], ask: (peek) => dueKinds(prefix, Number(args[3]), peek) };
    case 'sweep':
      return { kinds: [], ask: (peek) => sweepKinds(prefix, peek) };
    default:
      return { kinds: [script] };
  }
}

function kinds(script: string, what: readonly (string | false)[]): Write {
  return { kinds: [...new Set(what.filter((one) => one !== false))].map((one) => `${script}:${one}`) };
}

function decisionKinds([, , , [workflow, , jobs, cancels]]: DecideItem): string[] {
  const what: string[] = [];
  if (workflow !== false && isTerminal(workflow[0])) what.push('end');
  if (cancels.length > 0) what.push('cancel');
  if (jobs.some((job) => job[7] >= 0)) what.push('retry');
  if (jobs.some((job) => job[7] < 0)) what.push('jobs');
  return what.length === 0 ? ['other'] : what;
}

async function claimKinds(prefix: string, asks: readonly ClaimAsk[], peek: Peek): Promise<string[]> {
  const classes = [...new Set(asks.flatMap((ask) => ask[2]))];
  const waiting = await Promise.all(classes.map((name) => peek.zcard(`${prefix}q:${name}`)));
  return [waiting.some((count) => count > 0) ? 'claim:work' : 'claim:idle'];
}

async function completionKinds(
  prefix: string,
  items: readonly CompleteItem[],
  peek: Peek,
): Promise<string[]> {
  const all = await Promise.all(
    items.map(async ([ref, , state, , , , retryable, , , , , change]) => {
      if (state === State.failed) return retryable === 1 ? 'retryable' : 'failed';
      if (state !== State.succeeded) return state === State.expired ? 'expired' : 'canceled';
      if (change !== false) return 'ahead';
      const wid = ref.slice(0, ref.indexOf('-'));
      const head = await peek.hgetBuffer(`${prefix}w:${wid.charAt(2)}`, wid);
      return head?.[0] === SOLO_MARK ? 'solo' : 'fact';
    }),
  );
  return [...new Set(all)].map((what) => `complete:${what}`);
}

async function dueKinds(prefix: string, undecidedMs: number, peek: Peek): Promise<string[]> {
  const now = Date.now();
  const [offers, timers, todo] = await Promise.all([
    peek.zrangebyscore(`${prefix}o`, '-inf', now),
    peek.zrangebyscore(`${prefix}t`, '-inf', now),
    peek.zrangebyscore(`${prefix}d`, '-inf', now - undecidedMs),
  ]);
  const what = new Set(timers.map((member) => member.slice(0, member.indexOf('|'))));
  if (offers.length > 0) what.add('offer');
  if (todo.length > 0) what.add('todo');
  return what.size === 0 ? ['due:idle'] : [...what].map((one) => `due:${one}`);
}

async function sweepKinds(prefix: string, peek: Peek): Promise<string[]> {
  const ended = await peek.zrangebyscore(`${prefix}l`, '-inf', Date.now());
  return [ended.length > 0 ? 'sweep:stalled' : 'sweep:idle'];
}
