/** The catalogue of outcomes names every reason the coordinator and the agent give. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ERRORS, PROBLEM_REASONS } from '../../sdk/common/errors.ts';
import { OUTCOME_REASONS } from '../../sdk/common/outcomes.ts';

const root = join(import.meta.dirname, '../..');
/** Where outcomes are made. */
const SOURCES = [
  'coordinator/queue/lua/**/*.lua',
  'coordinator/workflow/{engine,fates,shell,sources,refs}.ts',
  'coordinator/agents/{session,completions}.ts',
  'agent/jobs/*.ts',
];
/** Upper-case words in quotes that are no outcomes: commands of Redis, signals, errors of calls, releases. */
const OTHERS = new Set(
  (
    'EXISTS EXPIRE TIME HGET HSET HMGET HSETNX HINCRBY ZADD ZREM ZRANGE ZRANGEBYSCORE ZCARD RPUSH LRANGE DEL SPUBLISH WITHSCORES LIMIT XX CH ' +
    'SIGTERM SIGKILL SIGINT SIGSTOP SIGCONT ENOENT ESRCH EPERM ENOMEM ENOSPC EEXIST ENOTEMPTY EPIPE STALLED OFFER_LAPSED SESSION_ENDED RELEASED CUDA_VISIBLE_DEVICES NODE_COMPILE_CACHE'
  )
    .split(' ')
    .concat(Object.keys(ERRORS), PROBLEM_REASONS),
);

test('every reason that is given is explained', () => {
  const missing = new Set<string>();
  for (const file of globSync(SOURCES, { cwd: root })) {
    for (const [, word] of readFileSync(join(root, file), 'utf8').matchAll(/'([A-Z][A-Z]+(?:_[A-Z]+)+)'/g)) {
      const name = word as string;
      if (!Object.hasOwn(OUTCOME_REASONS, name) && !OTHERS.has(name) && !name.startsWith('ERR_'))
        missing.add(`${name} in ${file}`);
    }
  }
  expect([...missing]).toEqual([]);
  for (const sentence of Object.values(OUTCOME_REASONS)) expect(sentence).toMatch(/^[A-Z].*\.$/);
});
