/**
 * Solo records read as what they stand for: a head with one step, and a job.
 *
 * The counterpart of `expand` in `lua/lib/cell.lua`; a test holds both together.
 */
import { State } from '../../sdk/common/states.ts';
import type { WorkflowView } from '../workflow/view.ts';
import type { JobRecord } from './reads.ts';
import { SOLO_FIELDS, SOLO_MARK, readHoldRecord, readSoloRecord, sizeOfNumbers } from './records.ts';
import type { SoloRecord } from './records.ts';

export function isSolo(bytes: Buffer): boolean {
  return bytes[0] === SOLO_MARK;
}

/** Where the texts of a solo record begin: the token first. */
const TEXTS_AT = sizeOfNumbers(SOLO_FIELDS);
/** Where the time of its claim stands. */
const CLAIMED_AT = 9;

/** A solo record with the claim that stands beside it. */
export function withHold(bytes: Buffer, hold: Buffer): Buffer {
  const { claimedAt, token, claimed, agent } = readHoldRecord(hold);
  const front = Buffer.from(bytes.subarray(0, TEXTS_AT));
  front[1] = State.scheduled;
  front.writeUIntBE(claimedAt, CLAIMED_AT, 6);
  // Of a record without a claim the texts token, claimed, ended and agent are empty.
  const createdEnd = TEXTS_AT + 2 + (bytes[TEXTS_AT + 1] as number);
  return Buffer.concat([
    front,
    text(token, 1),
    bytes.subarray(TEXTS_AT + 1, createdEnd),
    text(claimed, 1),
    text('', 1),
    text(agent, 2),
    bytes.subarray(createdEnd + 4),
  ]);
}

function text(value: string, lengthBytes: number): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(bytes.length, 0, lengthBytes);
  return Buffer.concat([length, bytes]);
}

/** Events in the log of a solo record that has ended. */
export const SOLO_EVENTS = 10;

/** Events its log holds by its state. */
function sequenceOf(solo: SoloRecord): number {
  if (solo.state === State.succeeded) return SOLO_EVENTS;
  return solo.state === State.unassigned ? 3 : 4;
}

export function soloView(bytes: Buffer): WorkflowView {
  const solo = readSoloRecord(bytes);
  const over = solo.state === State.succeeded;
  const open = over ? 0 : 1;
  return {
    version: over ? 2 : 1,
    facts: 0,
    state: solo.state,
    tenant: solo.tenant,
    createdAt: solo.createdAt,
    startedAt: solo.startedAt,
    completedAt: solo.completedAt,
    sequence: sequenceOf(solo),
    listed: 0,
    reason: '',
    message: '',
    failedStep: -1,
    cancel: 0,
    cancelMessage: '',
    closing: 0,
    dirty: [],
    stepCount: 1,
    openSteps: open,
    okSteps: 1 - open,
    requestId: solo.requestId,
    steps: [
      {
        state: solo.state,
        needs: 0,
        total: 1,
        emitted: 1,
        nextJob: 1,
        open,
        ok: 1 - open,
        bad: 0,
        startedAt: solo.startedAt,
        completedAt: solo.completedAt,
        reason: '',
        message: '',
        close: 0,
        closePos: 0,
        fails: [],
      },
    ],
  };
}

export function soloJob(bytes: Buffer, wid: string): JobRecord {
  const solo = readSoloRecord(bytes);
  return {
    own: true,
    state: solo.state,
    slot: 0,
    queue: solo.class,
    band: solo.band,
    // Its entry names the workflow alone; back in its queue it is no solo record any more.
    member: `${solo.place.toString(16).padStart(10, '0')}:${wid}${solo.state === State.unassigned ? '' : '-0-0'}`,
    cost: solo.cost,
    agent: solo.agent,
    hold: solo.state === State.scheduled ? 1 : 0,
    claims: solo.state === State.unassigned ? 0 : 1,
    recoveries: 0,
    attempt: 1,
    queuedAt: solo.createdAt,
    startedAt: solo.startedAt,
    completedAt: solo.completedAt,
    output: solo.output,
    reason: '',
    message: '',
    progress: solo.state === State.succeeded ? 1 : -1,
    progressSource: 0,
    replaces: -1,
    blocked: '',
    token: solo.token,
    claimedAt: solo.claimedAt,
    history: '',
  };
}
