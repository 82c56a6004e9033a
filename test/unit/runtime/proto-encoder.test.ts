/** What our encoders write, every decoder reads as what protobufjs' own would have written. */
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { codecOf, lookupService } from '../../../proto/gen/codec.ts';

type Plain = Record<string, unknown>;

const EDGES = [
  '',
  'a',
  'ü',
  'x'.repeat(39),
  'x'.repeat(42),
  'é'.repeat(43),
  '€'.repeat(6000),

  '日本'.repeat(40),
];

function types(): protobuf.Type[] {
  const found = new Set<protobuf.Type>();
  const add = (type: protobuf.Type): void => {
    if (found.has(type)) return;
    found.add(type);
    for (const field of type.fieldsArray)
      if (field.resolve().resolvedType instanceof protobuf.Type) add(field.resolvedType as protobuf.Type);
  };
  for (const name of ['Agent', 'Artifact', 'Operator', 'Workflow']) {
    for (const method of lookupService(`dibs.v1.${name}Service`).methodsArray) {
      add(method.resolvedRequestType as protobuf.Type);
      add(method.resolvedResponseType as protobuf.Type);
    }
  }
  return [...found];
}

function scalar(field: protobuf.FieldBase, depth: number): fc.Arbitrary<unknown> {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Type)
    return depth > 3 ? fc.constant(null) : message(resolvedType, depth + 1);
  if (resolvedType instanceof protobuf.Enum) return fc.constantFrom(...Object.values(resolvedType.values));
  switch (field.type) {
    case 'string':
      return fc.oneof(fc.constantFrom(...EDGES), fc.string({ unit: 'binary', maxLength: 300 }));
    case 'bytes':
      return fc.uint8Array({ maxLength: 300 });
    case 'bool':
      return fc.boolean();
    case 'double':
      return fc.double({ noNaN: true });
    case 'float':
      return fc.float({ noNaN: true });
    case 'int32':
    case 'sint32':
      return fc.integer();
    case 'uint32':
    case 'fixed32':
      return fc.nat({ max: 0xffffffff });
    case 'int64':
    case 'sint64':
      return fc.maxSafeInteger();
    default:
      return fc.maxSafeNat();
  }
}

function message(type: protobuf.Type, depth = 0): fc.Arbitrary<Plain> {
  const fields = type.fieldsArray.map((field): [string, fc.Arbitrary<unknown>] => {
    const one = scalar(field, depth);
    if (field instanceof protobuf.MapField)
      return [field.name, fc.dictionary(fc.string(), one, { maxKeys: 3 })];
    if (field.repeated)
      return [
        field.name,
        one instanceof Object && depth > 3 ? fc.constant([]) : fc.array(one, { maxLength: 3 }),
      ];
    return [field.name, fc.option(one, { nil: undefined })];
  });
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] }).map((made) => oneofOnce(type, made));
}

/** Of the fields of a oneof the first that is set. */
function oneofOnce(type: protobuf.Type, made: Plain): Plain {
  const kept = { ...made };
  for (const { oneof } of type.oneofsArray) {
    const [, ...rest] = oneof.filter((name) => kept[name] !== undefined && kept[name] !== null);
    for (const name of rest) delete kept[name];
  }
  return kept;
}

describe('encoders', () => {
  it('cover every message of the services', () => {
    expect(types().length).toBeGreaterThan(60);
  });

  it.each(types().map((type) => [type.fullName, type] as const))('%s', (_, type) => {
    const { encode, decode } = codecOf<unknown>(type);
    fc.assert(
      fc.property(message(type), (made) => {
        const ours = encode(made);
        const theirs = type.encode(made).finish() as Buffer;
        expect(decode(ours)).toEqual(decode(theirs));
      }),
      { numRuns: 60 },
    );
  });

  it('gives a copy: a later message does not change an earlier one', () => {
    const type = lookupService('dibs.v1.AgentService').root.lookupType('dibs.v1.CompletionAck');
    const { encode, decode } = codecOf<unknown>(type);
    const first = encode({ jobId: 'one', token: 't' });
    encode({ jobId: 'two two two', token: 'u' });
    expect(decode(first)).toMatchObject({ jobId: 'one', token: 't' });
  });

  it('takes messages larger than its buffer, and goes on with small ones', () => {
    const type = lookupService('dibs.v1.AgentService').root.lookupType('dibs.v1.Offer');
    const { encode, decode } = codecOf<unknown>(type);
    for (const length of [10, 100_000, 6_000_000, 3])
      expect(decode(encode({ inputJson: 'é'.repeat(length) }))).toMatchObject({
        inputJson: 'é'.repeat(length),
      });
  });
});
