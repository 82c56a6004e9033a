/** A refusal keeps everything across the wire; a bug tells the caller nothing but where to look. */
import type { IncomingHttpHeaders } from 'node:http2';
import grpc from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { codec } from '../../../proto/gen/load.ts';
import { fromServiceError, toServiceError } from '../../../runtime/grpc-errors.ts';
import { DibsError } from '../../../sdk/common/errors.ts';
import type { Problem } from '../../../sdk/common/errors.ts';

const logged: { fields: { err?: unknown; correlationId?: string }; message: string }[] = [];
const log = { error: (fields: object, message: string) => void logged.push({ fields, message }) };

/** What arrives when grpc-js has carried it: code, details and trailers only. */
function carried(error: unknown): grpc.ServiceError {
  const { code, details, metadata } = toServiceError(error, log);
  const trailers = grpc.Metadata.fromHttp2Headers(metadata.toHttp2Headers() as IncomingHttpHeaders);
  return Object.assign(new Error(`${code} ${details}`), { code, details, metadata: trailers });
}

describe('a refusal', () => {
  test('keeps code, reason, message, problems, metadata and retry hint', () => {
    const problems: Problem[] = [
      { path: 'steps[1].input.image.$ref', reason: 'UNKNOWN_REF', message: 'There is no step "bild".' },
      { path: 'steps', reason: 'DAG_CYCLE', message: 'a → b → a' },
    ];
    const sent = new DibsError('INVALID_WORKFLOW', 'The workflow has 2 mistakes.', {
      problems,
      metadata: { steps: '2' },
      retryAfterMs: 1_250,
    });
    const got = fromServiceError(carried(sent));
    expect(got).toBeInstanceOf(DibsError);
    expect(got).toMatchObject({
      code: grpc.status.INVALID_ARGUMENT,
      reason: 'INVALID_WORKFLOW',
      message: 'The workflow has 2 mistakes.',
      problems,
      metadata: { steps: '2' },
      retryAfterMs: 1_250,
    });
  });

  test('is what other languages expect: google.rpc.Status with typed details', () => {
    const trailer = carried(
      new DibsError('STORE_UNAVAILABLE', 'Redis is away.', { retryAfterMs: 500 }),
    ).metadata.get('grpc-status-details-bin')[0];
    const status = codec<{ code: number; message: string; details: { type_url: string }[] }>(
      'google.rpc.Status',
    ).decode(trailer as Buffer);
    expect(status).toMatchObject({ code: 14, message: 'Redis is away.' });
    expect(status.details.map(({ type_url }) => type_url)).toEqual([
      'type.googleapis.com/google.rpc.ErrorInfo',
      'type.googleapis.com/google.rpc.RetryInfo',
    ]);
  });

  test('with very many problems stays below 8 KiB of trailers and counts what it left out', () => {
    const problems = Array.from({ length: 10_000 }, (_, index): Problem => ({
      path: `steps[${index}].type`,
      reason: 'UNKNOWN_STEP_TYPE',
      message: 'Nobody runs it.',
    }));
    const error = carried(new DibsError('INVALID_WORKFLOW', 'x'.repeat(5_000), { problems }));
    const size = Object.entries(error.metadata.toHttp2Headers()).reduce(
      (sum, [key, value]) => sum + key.length + String(value).length,
      0,
    );
    expect(size + encodeURIComponent(error.details).length).toBeLessThan(8_192);
    const got = fromServiceError(error);
    expect(got.problems.length).toBeGreaterThan(20);
    expect(got.problems.length + Number(got.metadata['omitted_problems'])).toBe(10_000);
  });
});

describe('a bug', () => {
  test('reaches the caller as INTERNAL with a correlation id, and the log with its stack', () => {
    const bug = new TypeError('secret detail');
    const got = fromServiceError(carried(bug));
    const id = got.metadata['correlation_id'] ?? '';
    expect(got).toMatchObject({ code: grpc.status.INTERNAL, reason: 'INTERNAL' });
    expect(got.message).toContain(id);
    expect(got.message).not.toContain('secret');
    expect(logged.at(-1)?.fields).toEqual({ err: bug, correlationId: id });
  });

  test('also when something else than an error was thrown', () => {
    expect(fromServiceError(carried('just text')).reason).toBe('INTERNAL');
    expect(fromServiceError(carried(undefined)).reason).toBe('INTERNAL');
  });
});

describe('errors without our details', () => {
  test('get the name of their code as reason', () => {
    const error = Object.assign(new Error('14 UNAVAILABLE: No connection'), {
      code: 14,
      details: 'No connection',
      metadata: new grpc.Metadata(),
    });
    expect(fromServiceError(error)).toMatchObject({
      code: 14,
      reason: 'UNAVAILABLE',
      message: 'No connection',
      problems: [],
    });
  });

  test('a trailer that is not a status is left out', () => {
    const metadata = new grpc.Metadata();
    metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff, 0xff]));
    expect(
      fromServiceError(Object.assign(new Error('x'), { code: 5, details: 'gone', metadata })),
    ).toMatchObject({ reason: 'NOT_FOUND', message: 'gone' });
  });

  test('what is no gRPC error at all stays readable', () => {
    expect(fromServiceError(new Error('boom'))).toMatchObject({ reason: 'UNKNOWN', message: 'boom' });
    const own = new DibsError('DRAINING', 'bye');
    expect(fromServiceError(own)).toMatchObject({ reason: 'DRAINING', code: 14 });
  });
});
