import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveOptions } from '../../../sdk/client/client-options.ts';

describe('client options', () => {
  it('prefers options over the environment over the default', () => {
    expect(resolveOptions({}, {}).addresses).toEqual(['127.0.0.1:7400']);
    expect(resolveOptions({}, { DIBS_ADDRESS: 'a:1, b:2' }).addresses).toEqual(['a:1', 'b:2']);
    expect(resolveOptions({ address: ['c:3', '[::1]:4'] }, { DIBS_ADDRESS: 'a:1' }).addresses).toEqual([
      'c:3',
      '[::1]:4',
    ]);
  });

  it('reads a token from the option, the variable or the file', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'dibs-token-')), 'token');
    writeFileSync(file, 'from-file\n');
    expect(resolveOptions({}, {}).token).toBeUndefined();
    expect(resolveOptions({}, { DIBS_TOKEN_FILE: file }).token).toBe('from-file');
    expect(resolveOptions({}, { DIBS_TOKEN: 'direct', DIBS_TOKEN_FILE: file }).token).toBe('direct');
    expect(resolveOptions({ token: 'mine' }, { DIBS_TOKEN: 'direct' }).token).toBe('mine');
    expect(resolveOptions({ token: '' }, { DIBS_TOKEN: 'direct' }).token).toBeUndefined();
  });

  it.each(['localhost', 'http://a:1', 'a:b', 'a: 1'])('refuses the address %j', (address) => {
    expect(() => resolveOptions({ address }, {})).toThrow('is not host:port');
  });

  it('reads tls', () => {
    expect(resolveOptions({ tls: true }, {}).tls).toEqual({});
    expect(resolveOptions({ tls: false }, {}).tls).toBeUndefined();
    expect(resolveOptions({ tls: { ca: 'pem' } }, {}).tls).toEqual({ ca: 'pem' });
  });
});
