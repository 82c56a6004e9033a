/** Codecs: plain objects in, plain and complete messages out; other users of protobufjs in the process unharmed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codec } from '../../../proto/gen/load.ts';
import type {
  AgentMessage__Output,
  PutArtifactRequest__Output,
  Workflow__Output,
} from '../../../proto/gen/index.ts';

const agentMessage = codec<AgentMessage__Output>('dibs.v1.AgentMessage');
const workflow = codec<Workflow__Output>('dibs.v1.Workflow');

describe('decoded messages', () => {
  test('have every field as an own property, with its default where it was absent', () => {
    const message = agentMessage.decode(
      agentMessage.encode({ completed: [{ jobId: 'j', startedAgeMs: -15 }] }),
    );
    expect({ ...message.completed[0] }).toEqual({
      jobId: 'j',
      token: '',
      verdict: 0,
      outputJson: '',
      outcome: null,
      runMs: 0,
      startedAgeMs: -15,
      blockedReason: '',
    });
    expect(message.credits).toBeNull();
    expect(message.accepted).toEqual([]);
    expect(message.accepted).not.toBe(message.started);
  });

  test('say the same as JSON and as a structured clone', () => {
    const message = workflow.decode(
      workflow.encode({ id: 'wf_1', state: 4, createdAtMs: 1_700_000_000_000 }),
    );
    expect(JSON.parse(JSON.stringify(message))).toMatchObject({ state: 4, createdAtMs: 1_700_000_000_000 });
    expect(structuredClone({ ...message })).toMatchObject({ id: 'wf_1', state: 4 });
  });

  test('hold maps as objects, also under hostile keys', () => {
    const byType = JSON.parse('{"a":1,"__proto__":2}') as Record<string, number>;
    const { credits } = agentMessage.decode(agentMessage.encode({ credits: { byType } }));
    expect(Object.entries(credits?.byType ?? {})).toEqual([
      ['a', 1],
      ['__proto__', 2],
    ]);
  });

  test('hold bytes as buffers, also when absent', () => {
    const put = codec<PutArtifactRequest__Output>('dibs.v1.PutArtifactRequest');
    expect(put.decode(put.encode({ data: new Uint8Array([1, 2]) })).data).toEqual(Buffer.from([1, 2]));
    expect(put.decode(new Uint8Array()).data).toEqual(Buffer.alloc(0));
  });
});

test('64-bit integers are numbers, exact to 2^53 in both directions', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.maxSafeNat(), (signed, unsigned) => {
      const back = workflow.decode(workflow.encode({ createdAtMs: signed, version: unsigned }));
      expect([back.createdAtMs, back.version]).toEqual([signed, unsigned]);
    }),
    {
      examples: [
        [-1, 0],
        [-(2 ** 32), 2 ** 32],
        [2 ** 31, 127],
        [-(2 ** 53) + 1, 2 ** 53 - 1],
        [-2147483649, 128],
      ],
    },
  );
});

test('undefined and null fields are left out', () => {
  expect(workflow.encode({ id: undefined, outcome: null })).toHaveLength(0);
});

test('cut and foreign bytes are refused, never read past their end', () => {
  const whole = workflow.encode({ id: 'wf_1', createdAtMs: 2 ** 52, steps: [{ name: 'a', startedAtMs: 5 }] });
  for (let length = 0; length < whole.length; length += 1) {
    const padded = Buffer.concat([whole.subarray(0, length), Buffer.alloc(8, 1)]);
    const cut = padded.subarray(0, length);
    try {
      expect(workflow.encode(workflow.decode(cut)).length).toBeGreaterThanOrEqual(0);
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
    }
  }
  expect(() => workflow.decode(Buffer.from([0x30, 0xff]))).toThrow(RangeError);
  expect(() => codec('dibs.v1.Nothing')).toThrow(/no such type/);
});
