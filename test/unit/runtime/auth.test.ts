/** Tokens and where one may listen without. */
import grpc from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import {
  assertListenAllowed,
  bearerToken,
  isLoopback,
  requireToken,
  tokenCheck,
} from '../../../runtime/auth.ts';
import { ConfigError } from '../../../runtime/config-error.ts';

describe('a token', () => {
  test('is right or wrong', () => {
    const check = tokenCheck('right', 'next');
    expect(['right', 'next', 'wrong', 'righ', 'rightt', '', undefined].map(check)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
    expect(tokenCheck('')(undefined)).toBe(false);
    expect(tokenCheck()('anything')).toBe(false);
  });

  test('is read from headers and metadata', () => {
    const metadata = new grpc.Metadata();
    metadata.set('authorization', 'Bearer abc');
    expect(bearerToken(metadata)).toBe('abc');
    expect(
      ['Bearer abc', 'bearer  abc ', 'Basic abc', 'Bearer', 'Bearer a b', undefined].map(bearerToken),
    ).toEqual(['abc', 'abc', undefined, undefined, undefined, undefined]);
  });

  test('is required where one is set', () => {
    const check = tokenCheck('right');
    expect(() => requireToken(undefined, undefined)).not.toThrow();
    expect(() => requireToken('Bearer right', check)).not.toThrow();
    expect(() => requireToken(undefined, check)).toThrow(/wants a token/);
    expect(() => requireToken('Bearer wrong', check)).toThrow(
      expect.objectContaining({ reason: 'UNAUTHENTICATED', code: 16 }),
    );
  });
});

describe('without a token', () => {
  test.each([
    '127.0.0.1',
    '127.9.9.9',
    'localhost',
    '::1',
    '[::1]',
    '::ffff:127.0.0.1',
    'unix:/run/dibs.sock',
    '/run/dibs.sock',
  ])('%s is fine', (host) => {
    expect(isLoopback(host)).toBe(true);
    expect(() => assertListenAllowed(host, undefined)).not.toThrow();
  });

  test.each([
    '0.0.0.0',
    '::',
    '',
    '10.0.0.1',
    'coordinator.example',
    '127.0.0.1.example.com',
    '::ffff:10.0.0.1',
    '1270.0.0.1',
  ])('%s is refused', (host) => {
    expect(() => assertListenAllowed(host, undefined)).toThrow(ConfigError);
    expect(() => assertListenAllowed(host, '')).toThrow(/DIBS_TOKEN/);
    expect(() => assertListenAllowed(host, 'token')).not.toThrow();
  });
});
