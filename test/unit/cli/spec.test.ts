import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { describeFile, storeFiles } from '../../../cli/workflow/local-files.ts';
import type { Store } from '../../../cli/workflow/local-files.ts';
import { assertNoStepFlags, overlay, specFromFlags } from '../../../cli/workflow/spec-flags.ts';
import { parseSpec, readSpecFile, withSeconds } from '../../../cli/workflow/spec-file.ts';
import { fakeIo } from '../../support/fake-io.ts';

const folder = mkdtempSync(join(tmpdir(), 'dibs-spec-'));
writeFileSync(join(folder, 'photo.jpg'), 'not really');
writeFileSync(join(folder, 'flow.yaml'), 'steps:\n  - type: a\n');
const reference = {
  $artifact: `sha256:${'a'.repeat(64)}`,
  name: 'photo.jpg',
  size: 10,
  mediaType: 'image/jpeg',
};

describe('workflow files', () => {
  it('reads YAML, JSON and standard input', async () => {
    expect(parseSpec('steps: [{type: a}]', 'x')).toEqual({ steps: [{ type: 'a' }] });
    expect(parseSpec('{"steps":[{"type":"a"}]}', 'x')).toEqual({ steps: [{ type: 'a' }] });
    expect(await readSpecFile(fakeIo({ cwd: folder }), 'flow.yaml')).toEqual({
      workflow: { steps: [{ type: 'a' }] },
      folder,
    });
    expect(await readSpecFile(fakeIo({ stdin: '{"name":"piped"}', cwd: folder }), '-')).toEqual({
      workflow: { name: 'piped' },
      folder,
    });
  });

  it('says where a file is wrong', async () => {
    expect(() => parseSpec('steps:\n  - type: [a\n', 'flow.yaml')).toThrow(/^flow\.yaml:3:1: /);
    expect(() => parseSpec('[1]', 'flow.yaml')).toThrow('flow.yaml holds no workflow');
    await expect(readSpecFile(fakeIo({ cwd: folder }), 'nope.yaml')).rejects.toMatchObject({ exitCode: 2 });
  });

  it('takes bare numbers for seconds', () => {
    const workflow = {
      timeout: 90,
      retention: '1d',
      steps: [{ type: 'a', timeout: 1.5, queueTimeout: '2m' }],
    };
    expect(withSeconds(workflow)).toEqual({
      timeout: '90s',
      retention: '1d',
      steps: [{ type: 'a', timeout: '1.5s', queueTimeout: '2m' }],
    });
  });
});

describe('workflow flags', () => {
  it('makes a step', () => {
    writeFileSync(join(folder, 'in.json'), '{"n":1}');
    const io = fakeIo({ cwd: folder });
    expect(
      specFromFlags(io, { type: 'a', input: '@in.json', forEach: '3', retries: 2, priority: 'high' }),
    ).toEqual({
      steps: [{ type: 'a', input: { n: 1 }, forEach: { items: 3 }, retries: 2, priority: 'high' }],
    });
    expect(() => specFromFlags(io, {})).toThrow('--type');
    expect(() => specFromFlags(io, { type: 'a', input: '{' })).toThrow('--input is not JSON');
    expect(() => assertNoStepFlags({ forEach: '3' })).toThrow('--for-each describes a step');
  });

  it('lays names, tags and arguments over a file', () => {
    const workflow = { name: 'old', tags: ['a'], arguments: { keep: 1, seed: 2 }, steps: [] };
    const flags = {
      name: 'new',
      tag: ['a', 'b'],
      arg: { seed: '42', who: 'Ada', list: '[1]' },
      artifact: { photo: 'photo.jpg' },
    };
    expect(overlay(fakeIo({ cwd: folder }), workflow, flags)).toEqual({
      name: 'new',
      tags: ['a', 'b'],
      arguments: { keep: 1, seed: 42, who: 'Ada', list: [1], photo: { $file: join(folder, 'photo.jpg') } },
      steps: [],
    });
  });
});

describe('files in a workflow', () => {
  it('become references, each stored once', async () => {
    const store = vi.fn<Store>(async () => reference);
    const workflow = {
      arguments: { photo: { $file: 'photo.jpg' } },
      steps: [{ input: [{ $file: './photo.jpg' }, null, 3] }],
    };
    expect(await storeFiles(workflow, folder, store)).toEqual({
      arguments: { photo: reference },
      steps: [{ input: [reference, null, 3] }],
    });
    expect(store).toHaveBeenCalledExactlyOnceWith({ path: join(folder, 'photo.jpg') });
  });

  it('passes a name and a media type on', async () => {
    const store = vi.fn<Store>(async () => reference);
    await storeFiles({ a: { $file: 'photo.jpg', name: 'x.bin', mediaType: 'image/jpeg' } }, folder, store);
    expect(store).toHaveBeenCalledWith({
      path: join(folder, 'photo.jpg'),
      name: 'x.bin',
      mediaType: 'image/jpeg',
    });
  });

  it('stores nothing when one of them is missing or wrong, and names all', async () => {
    const store = vi.fn<Store>(async () => reference);
    const workflow = {
      a: { $file: 'photo.jpg' },
      b: [{ $file: 'gone.jpg' }],
      c: { $file: 7 },
      d: { $file: 'photo.jpg', extra: 1 },
      e: { $file: '.' },
    };
    const failure = storeFiles(workflow, folder, store);
    await expect(failure).rejects.toThrow(/c: .*\nd: .*\n.*gone\.jpg cannot be read.*\n.* is no file/s);
    await expect(failure).rejects.toMatchObject({ exitCode: 2 });
    expect(store).not.toHaveBeenCalled();
  });

  it('can be described without being stored', async () => {
    expect(await describeFile({ path: join(folder, 'photo.jpg') })).toMatchObject({
      name: 'photo.jpg',
      size: 10,
    });
  });
});
