/** What the README and the docs show works as it stands there. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTenants } from '../../coordinator/tenants.ts';
import { compileWorkflow } from '../../coordinator/workflow/spec.ts';
import { toWorkflowSpec } from '../../sdk/client/index.ts';
import type { RequirementInput } from '../../sdk/client/index.ts';
import { startProc } from '../support/proc.ts';
import { useRedis } from '../support/redis.ts';

const ROOT = join(import.meta.dirname, '../..');
const redis = useRedis();
/** Inside the repository, so that `dibs/sdk/…` means this package. */
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(ROOT, '.dibs-docs-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function snippets(file: string, language: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1] as string,
  );
}

function snippet(file: string, language: string, part: string): string {
  const found = snippets(file, language).find((text) => text.includes(part));
  if (found === undefined) throw new Error(`${file} shows no ${language} with ${part}`);
  return found;
}

describe('how the fleet thinks', () => {
  const page = 'docs/06-fleet.md';

  test('its requirement is one, and its commands exist', async () => {
    const requirement = JSON.parse(snippet(page, 'json', 'labels')) as RequirementInput;
    const spec = toWorkflowSpec({ steps: [{ type: 'image.make', requirement }] });
    const compiled = compileWorkflow(spec, { knownTypes: new Set(['image.make']), costOf: () => 1 });
    expect(compiled).toMatchObject({ ok: true });
    for (const line of snippet(page, 'sh', 'npx').trim().split('\n')) {
      const [, program = '', ...words] = line.split('#', 1)[0]?.trim().split(/\s+/) ?? [];
      const verbs = words.filter((word) => /^[a-z]+$/.test(word));
      const help = startProc(`cli/${program}.ts`, { args: [...verbs, '--help'] });
      await help.exitsWith(0, 30_000);
    }
  });

  test('its tenants are read as they stand', () => {
    const token = join(folder, 'research.token');
    writeFileSync(token, 'secret\n');
    const file = join(folder, 'tenants.yaml');
    writeFileSync(file, snippet(page, 'yaml', 'tenants').replace('/etc/dibs/research.token', token));
    expect(readTenants(file)).toEqual([
      { name: 'research', weight: 2, maxRunning: 100, maxPriority: 'normal', tokens: ['secret'] },
    ]);
  });
});

describe('the README', () => {
  test('its executor runs a job, and every command it shows exists', async () => {
    const file = join(folder, 'hello.ts');
    writeFileSync(file, snippet('README.md', 'ts', 'defineExecutor'));
    const run = startProc('cli/dibs.ts', { args: ['executor', 'run', file, '--input', '{"name":"Ada"}'] });
    await run.exitsWith(0, 30_000);
    expect(run.output).toContain('{"greeting":"Hello, Ada!"}');
    const shown = snippets('README.md', 'sh').join('\n');
    const commands = [...shown.matchAll(/^npx (dibs|dibs-agent) ([a-z]+(?: (?:start|list|run|submit))?)/gm)];
    expect(commands.length).toBeGreaterThan(6);
    for (const [, program, words] of commands) {
      const help = startProc(`cli/${program}.ts`, { args: [...(words as string).split(' '), '--help'] });
      await help.exitsWith(0, 30_000);
    }
  });

  test('its consumer counts a book', async () => {
    const coordinator = startProc('cli/dibs.ts', {
      args: [
        'coordinator',
        'start',
        '--listen',
        '127.0.0.1:0',
        '--redis-url',
        redis().url,
        '--data-dir',
        join(folder, 'data'),
        '--log-format',
        'json',
      ],
    });
    const { address } = await coordinator.json<{ msg?: string; address: string }>(
      (line) => line.msg === 'serving',
    );
    const agent = startProc('cli/dibs-agent.ts', {
      args: [
        'start',
        '--coordinator',
        address,
        '--state-dir',
        join(folder, 'agent'),
        '--types',
        'text.*',
        '--log-format',
        'json',
      ],
    });
    await agent.json<{ msg?: string }>((line) => line.msg === 'connected', { timeoutMs: 30_000 });
    writeFileSync(join(folder, 'book.txt'), 'one two two three three three '.repeat(1000));
    const file = join(folder, 'count.ts');
    writeFileSync(
      file,
      `${snippet('README.md', 'ts', 'createClient')}\nconsole.log(JSON.stringify(output));\n`,
    );
    const consumer = startProc(file.slice(ROOT.length + 1), { cwd: folder, env: { DIBS_ADDRESS: address } });
    const output = await consumer.json<{ words: number }>(() => true, { timeoutMs: 60_000 });
    expect(output.words).toBe(6000);
    await consumer.exitsWith(0);
    agent.signal('SIGTERM');
    await agent.exitsWith(0, 30_000);
    coordinator.signal('SIGTERM');
    await coordinator.exitsWith(0, 30_000);
  });
});

test('the steps and references of docs/01 compile', () => {
  const json = snippets('docs/01-data-flow.md', 'json').map(
    (text) => JSON.parse(text) as Record<string, unknown>,
  );
  expect(json).toHaveLength(2);
  const [reference, step] = json as [
    Record<string, unknown>,
    { type: string; name: string; forEach: { items: unknown; as: string }; input: unknown },
  ];
  const compiled = compileWorkflow(
    {
      allowUnknownTypes: true,
      steps: [
        { type: 'image', name: 'hero' },
        { type: 'text.split', name: 'split' },
        { type: 'use', name: 'use', inputJson: JSON.stringify({ image: reference }) },
        {
          type: step.type,
          name: step.name,
          inputJson: JSON.stringify(step.input),
          forEach: { itemsJson: JSON.stringify(step.forEach.items), as: step.forEach.as },
        },
      ],
    },
    { knownTypes: new Set() },
  );
  expect(compiled).toMatchObject({ ok: true });
});
