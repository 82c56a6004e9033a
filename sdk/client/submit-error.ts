/** Refusals inside a submit stream carry their details as fields; elsewhere the same ones come as status details. */
import type { SubmitError__Output } from '../../proto/gen/index.ts';
import type { Problem } from '../common/errors.ts';
import { DibsError } from './errors.ts';

/** Code and reason are those of the wire, also ones that a newer coordinator made up. */
export function fromSubmitError({ code, reason, message, violations }: SubmitError__Output): DibsError {
  const problems = violations.map(({ path, reason: word, message: sentence }) => {
    return { path, reason: word as Problem['reason'], message: sentence };
  });
  return Object.assign(new DibsError('INTERNAL', message, { problems }), { code, reason });
}
