/** Requests: what was acknowledged exists, once; what was refused does not. */
import type { Rule } from './history.ts';

/** Every acknowledged workflow exists and has ended. */
export const acknowledgedEnds: Rule = function* ({ consumers, stored }) {
  for (const line of consumers) {
    if (line.op !== 'ok') continue;
    const workflow = stored.workflows.get(line.id);
    if (workflow === undefined) yield `${line.key} was acknowledged as ${line.id}, which is not there`;
    else if (!/^(succeeded|failed|expired|canceled)$/.test(workflow.status))
      yield `${line.key} (${line.id}) was acknowledged and is still ${workflow.status}`;
  }
};

/** One workflow per request id, whoever asks, however often; another body is refused. */
export const oneWorkflowPerRequest: Rule = function* ({ consumers, stored, asked }) {
  const ids = new Map<string, string>();
  const invoked = new Set<string>();
  for (const line of consumers) {
    if (line.op === 'invoke') invoked.add(line.key);
    if (line.op === 'again' && line.body === 'other') {
      if (line.id !== '') yield `${line.key}: another body under the same request id was taken as ${line.id}`;
      continue;
    }
    if ((line.op !== 'ok' && line.op !== 'again') || line.id === '') continue;
    const known = ids.get(line.key) ?? line.id;
    ids.set(line.key, known);
    if (known !== line.id) yield `${line.key} is ${known} and ${line.id}`;
  }
  for (const [key, id] of asked) {
    const known = ids.get(key);
    if (known !== undefined && known !== id) yield `${key} was ${known} and is ${id} now`;
  }
  const keys = new Set<string>();
  for (const { id, requestId } of stored.workflows.values()) {
    if (!invoked.has(requestId)) yield `${id} is stored, and nobody asked for "${requestId}"`;
    if (keys.has(requestId)) yield `"${requestId}" is stored twice`;
    keys.add(requestId);
  }
};

/** Good requests are not refused. */
export const nothingRefused: Rule = function* ({ consumers }) {
  for (const line of consumers) if (line.op === 'refused') yield `${line.key} was refused: ${line.reason}`;
};
