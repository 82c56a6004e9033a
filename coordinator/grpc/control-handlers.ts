/**
 * OperatorService, the part that changes something: pauses, the word on an agent, a job put elsewhere; and one agent.
 *
 * Siblings: `operator-service.ts` lists, `operator-views.ts` makes the messages.
 */
import { AgentAction } from '../../proto/gen/index.ts';
import type { State__Output } from '../../proto/gen/index.ts';
import type { OperatorHandlers } from '../../proto/gen/load.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import type { Classes } from '../agents/classes.ts';
import type { AgentVerb, Controls } from '../agents/controls.ts';
import type { AgentRecord, Fleet } from '../agents/fleet.ts';
import { parseJobId } from '../queue/keys.ts';
import type { JobRecord, Reads } from '../queue/reads.ts';
import type { Store } from '../queue/store.ts';
import { unary } from './handling.ts';
import type { Frame } from './handling.ts';
import { agentMessage } from './operator-views.ts';

export interface ControlHandlerParts {
  readonly frame: Frame;
  readonly fleet: Fleet;
  readonly controls: Controls;
  readonly classes: Classes;
  readonly store: Store;
  readonly reads: Reads;
}

/** How often a job that moves while it is being moved is looked at again. */
const MAX_LOOKS = 5;
/** Length of a note. */
const MAX_NOTE = 500;

const VERBS: Readonly<Record<number, AgentVerb>> = {
  [AgentAction.AGENT_ACTION_PAUSE]: 'pause',
  [AgentAction.AGENT_ACTION_RESUME]: 'resume',
  [AgentAction.AGENT_ACTION_DRAIN]: 'drain',
  [AgentAction.AGENT_ACTION_QUARANTINE]: 'quarantine',
  [AgentAction.AGENT_ACTION_RELEASE]: 'release',
};

export function controlHandlers(
  parts: ControlHandlerParts,
): Pick<OperatorHandlers, 'pauseQueue' | 'resumeQueue' | 'getAgent' | 'controlAgent' | 'requeueJob'> {
  const { frame, fleet, controls, classes } = parts;
  const { pauses } = controls;
  return {
    pauseQueue: unary(frame, async ({ name, note }) => {
      await assertQueue(classes, name);
      return { pause: await pauses.pause('queue', name, note.slice(0, MAX_NOTE)) };
    }),

    resumeQueue: unary(frame, async ({ name }) => {
      await assertQueue(classes, name);
      if (await controls.resumeQueue(name)) return {};
      const type = classes.needs.get(name)?.type ?? name;
      throw new DibsError(
        'WRONG_STATE',
        pauses.ofQueue(name, type) === undefined
          ? `The queue ${name} is not paused.`
          : `The queue ${name} is paused with its whole type; resume ${type}.`,
      );
    }),

    getAgent: unary(frame, async ({ agentId }) => ({
      agent: agentMessage(await findAgent(fleet, agentId), controls),
    })),

    controlAgent: unary(frame, async ({ agentId, action, note }) => {
      const verb = VERBS[action];
      if (verb === undefined) throw new DibsError('INVALID_REQUEST', 'The action is missing.');
      return { agent: agentMessage(await controls.control(agentId, verb, note), controls) };
    }),

    requeueJob: unary(frame, ({ jobId, toBack, note }) =>
      requeue(parts, jobId, toBack, note.slice(0, MAX_NOTE)),
    ),
  };
}

async function findAgent(fleet: Fleet, agentId: string): Promise<AgentRecord> {
  const record = await fleet.find(agentId);
  if (record === undefined)
    throw new DibsError('AGENT_NOT_FOUND', `There is no agent "${agentId.slice(0, 100)}".`);
  return record;
}

/** A queue, or a type somebody once advertised. */
async function assertQueue(classes: Classes, name: string): Promise<void> {
  await Promise.all([classes.refresh(), classes.refreshTypes()]);
  if (!classes.needs.has(name) && !classes.types.has(name)) throw noQueue(name);
}

function noQueue(name: string): DibsError {
  return new DibsError('QUEUE_NOT_FOUND', `There is no queue "${name.slice(0, 200)}".`);
}

async function requeue(
  { store, reads }: ControlHandlerParts,
  jobId: string,
  toBack: boolean,
  note: string,
): Promise<{ was: State__Output }> {
  const place = parseJobId(jobId);
  const cell = place === undefined ? undefined : store.cellOf(place.wid);
  const missing = new DibsError('JOB_NOT_FOUND', `There is no job "${jobId.slice(0, 100)}".`);
  if (place === undefined || cell === undefined) throw missing;
  const { wid, step, ordinal, ref } = place;
  for (let look = 0; look < MAX_LOOKS; look++) {
    const [job] = await reads.jobs(cell, wid, step, ordinal, ordinal + 1);
    if (job === undefined) throw missing;
    const [status, state] = await store.requeue(ref, seenOf(job), toBack, note);
    if (status === 'ok') return { was: state as State__Output };
    if (status === 'gone') throw missing;
    if (status === 'terminal') throw new DibsError('WRONG_STATE', `The job ${jobId} has ended already.`);
  }
  throw new DibsError('VERSION_CONFLICT', `The job ${jobId} keeps moving; try again.`);
}

/** What names its present hold or place (`lua/requeue.lua`). */
function seenOf({ hold, token, member }: JobRecord): string {
  return hold > 0 ? token : member.slice(0, 10);
}
