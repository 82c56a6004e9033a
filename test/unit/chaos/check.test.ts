/** Every rule of the history checker can fail: a clean history with one thing changed breaks it. */
import { describe, expect, test } from 'vitest';
import type { LoggedEvent } from '../../../coordinator/events/log-entries.ts';
import type { EventType } from '../../../sdk/common/events.ts';
import { State } from '../../../sdk/common/states.ts';
import { check, rulesFor } from '../../chaos/check/check.ts';
import type { History } from '../../chaos/check/history.ts';
import type { ConsumerLine, RunLine } from '../../chaos/history/lines.ts';
import type { StoredJob, StoredStep, StoredWorkflow } from '../../chaos/history/stored.ts';
import { submissionAt } from '../../chaos/workload/shapes.ts';

const WEIGHTS = { single: 1 };
const KEY = 'c1-0';
const WID = `00${'a'.repeat(24)}`;
const ID = `wf_${WID}`;
const JOB = `job_${WID}-0-0`;
const { n } = submissionAt(1, 0, WEIGHTS).expected;

/** The same, to be changed. */
type Mutable<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends ReadonlyMap<infer Key, infer Value>
    ? Map<Key, Value>
    : T extends object
      ? { -readonly [K in keyof T]: Mutable<T[K]> }
      : T;

const event = (
  sequence: number,
  type: EventType,
  step: number,
  ordinal: number,
  state: number,
  agent = '',
): LoggedEvent => ({
  ...{ sequence, tag: 't', atMs: 1000 + sequence, type, step, ordinal, state, agent },
  ...{ reason: '', message: '', data: undefined },
});

function cleanWorkflow(): StoredWorkflow {
  const job = {
    ...{
      id: JOB,
      step: 0,
      ordinal: 0,
      state: State.succeeded,
      slot: 0,
      queue: 'q',
      band: 1,
      member: '',
      cost: 1,
      agent: 'A1',
    },
    ...{
      hold: 0,
      claims: 1,
      recoveries: 0,
      attempt: 1,
      queuedAt: 1,
      startedAt: 1,
      completedAt: 1,
      reason: '',
      message: '',
    },
    ...{ progress: 1, progressSource: 0, replaces: -1, blocked: '', agents: '', history: [] },
    output: JSON.stringify({ n, run: 'r1', agent: 'agent-1' }),
  };
  const view = { ...{ state: State.succeeded, total: 1, nextJob: 1 } };
  return {
    id: ID,
    requestId: KEY,
    status: 'succeeded',
    view: { state: State.succeeded, sequence: 8, reason: '' },
    steps: [{ name: 'only', view, needs: [], jobs: [job], output: job.output }],
    events: [
      event(1, 'workflow.created', -1, -1, State.unassigned),
      event(2, 'step.ready', 0, -1, State.unassigned),
      event(3, 'job.queued', 0, 0, State.unassigned),
      event(4, 'job.claimed', 0, 0, State.scheduled, 'A1'),
      event(5, 'job.started', 0, 0, State.processing),
      event(6, 'job.succeeded', 0, 0, State.succeeded, 'A1'),
      event(7, 'step.succeeded', 0, -1, State.succeeded),
      event(8, 'workflow.succeeded', -1, -1, State.succeeded),
    ],
  } as unknown as StoredWorkflow;
}

function cleanHistory(): Mutable<History> {
  const consumers: ConsumerLine[] = [
    { op: 'invoke', at: 1, key: KEY, index: 0, shape: 'single' },
    { op: 'ok', at: 2, key: KEY, id: ID, duplicate: false },
    {
      op: 'event',
      at: 3,
      id: ID,
      watcher: 'w',
      sequence: 1,
      cursor: '1.t',
      type: 'workflow.created',
      jobId: '',
      agentId: '',
    },
    { op: 'end', at: 9, key: KEY, id: ID, status: 'succeeded', n: n ?? 0 },
  ];
  const runs: RunLine[] = [
    { op: 'begin', at: 4, run: 'r1', agent: 'agent-1', jobId: JOB, attempt: 1 },
    { op: 'end', at: 5, run: 'r1', agent: 'agent-1', jobId: JOB, attempt: 1 },
  ];
  return {
    consumers,
    runs,
    disturbances: [],
    stored: { workflows: new Map([[ID, cleanWorkflow()]]), leftover: [], wasted: 0 },
    asked: new Map([[KEY, ID]]),
    agentNames: new Map([
      ['A1', 'agent-1'],
      ['A2', 'agent-2'],
    ]),
    maxRecoveries: 3,
    leaseMs: 100,
    sweepMs: 50,
  };
}

const broken = (history: History): string[] => [
  ...new Set(check(history, rulesFor(WEIGHTS)).map(({ rule }) => rule)),
];

/** Its only job. */
const theJob = (workflow: Mutable<StoredWorkflow>): Mutable<StoredJob> =>
  (workflow.steps[0] as Mutable<StoredStep>).jobs[0] as Mutable<StoredJob>;

type Change = (history: Mutable<History>, workflow: Mutable<StoredWorkflow>) => void;

/** Puts an event in, and numbers all anew. */
const insert = (workflow: Mutable<StoredWorkflow>, at: number, ...more: LoggedEvent[]): void => {
  workflow.events.splice(at, 0, ...(more as Mutable<LoggedEvent>[]));
  workflow.events.forEach((one, index) => (one.sequence = index + 1));
  workflow.view.sequence = workflow.events.length;
};

const CASES: Readonly<Record<string, readonly [string, Change][]>> = {
  'acknowledged workflows exist and end': [
    ['it is gone', ({ stored }) => (stored.workflows as Map<string, unknown>).clear()],
    ['it goes on', (_, workflow) => (workflow.status = 'processing')],
  ],
  'one workflow per request': [
    ['another id later', ({ asked }) => asked.set(KEY, 'wf_other')],
    [
      'another id when repeated',
      ({ consumers }) =>
        void consumers.push({ op: 'again', at: 3, key: KEY, body: 'same', id: 'wf_b', reason: '' }),
    ],
    [
      'another body taken',
      ({ consumers }) =>
        void consumers.push({ op: 'again', at: 3, key: KEY, body: 'other', id: ID, reason: '' }),
    ],
    ['nobody asked for it', (_, workflow) => (workflow.requestId = 'c9-9')],
  ],
  'nothing is refused': [
    [
      'a good request is',
      ({ consumers }) => void consumers.push({ op: 'refused', at: 3, key: KEY, reason: 'BAD' }),
    ],
  ],
  'one end each': [
    ['a job ends twice', (_, workflow) => insert(workflow, 6, event(0, 'job.failed', 0, 0, State.failed))],
    [
      'a step is open',
      (_, workflow) =>
        ((workflow.steps[0] as Mutable<StoredWorkflow['steps'][number]>).view.state = State.processing),
    ],
    ['an end without an event', (_, workflow) => void workflow.events.splice(6, 1)],
  ],
  'the expected end': [
    ['another status', (_, workflow) => (workflow.status = 'failed')],
    ['another result', (_, workflow) => ((workflow.steps[0] as { output: string }).output = '{"n":-1}')],
  ],
  'consumers are told the truth': [
    ['another status', ({ consumers }) => ((consumers[3] as { status: string }).status = 'failed')],
  ],
  'logs are gap-free': [
    ['a gap', (_, workflow) => void ((workflow.events[2] as { sequence: number }).sequence = 9)],
    [
      'an event after the end',
      (_, workflow) => insert(workflow, 8, event(0, 'job.progress', 0, 0, State.processing, 'A1')),
    ],
    ['the head says more', (_, workflow) => (workflow.view.sequence = 9)],
  ],
  'watchers agree with the log': [
    ['a gap', ({ consumers }) => ((consumers[2] as { sequence: number }).sequence = 2)],
    ['another event', ({ consumers }) => ((consumers[2] as { type: string }).type = 'workflow.started')],
    ['another commit', ({ consumers }) => ((consumers[2] as { cursor: string }).cursor = '1.x')],
  ],
  'one holder at a time': [
    [
      'claimed while held',
      (_, workflow) => insert(workflow, 4, event(0, 'job.claimed', 0, 0, State.scheduled, 'A2')),
    ],
    ['ended by another', (_, workflow) => ((workflow.events[5] as { agent: string }).agent = 'A2')],
    [
      'started by nobody',
      (_, workflow) => void insert(workflow, 4, event(0, 'job.released', 0, 0, State.unassigned, 'A1')),
    ],
  ],
  'results of the holder only': [
    ['a foreign result', (_, workflow) => (theJob(workflow).agent = 'A2')],
    ['a run that never ended', ({ runs }) => void runs.pop()],
  ],
  'claims are explained': [
    ['the record has more', (_, workflow) => (theJob(workflow).claims = 2)],
    ['a recovery that was not said', (_, workflow) => (theJob(workflow).recoveries = 1)],
  ],
  'only offers lapse': [
    [
      'a job that had begun',
      (_, workflow) =>
        insert(workflow, 5, {
          ...event(0, 'job.released', 0, 0, State.unassigned, 'A1'),
          reason: 'OFFER_LAPSED',
        }),
    ],
  ],
  'each slot is filled once': [
    [
      'an empty slot',
      (_, workflow) => ((workflow.steps[0] as Mutable<StoredWorkflow['steps'][number]>).view.total = 2),
    ],
  ],
  'steps start after what they need': [
    [
      'queued too early',
      (_, workflow) => {
        (workflow.steps as unknown[]).push({ ...workflow.steps[0], name: 'next', needs: [0], jobs: [] });
        insert(workflow, 3, event(0, 'job.queued', 1, 0, State.unassigned));
      },
    ],
    [
      'began too early',
      ({ runs }, workflow) => {
        const [first] = workflow.steps;
        const job = { ...first?.jobs[0], id: 'job_next', step: 1, output: '' };
        (workflow.steps as unknown[]).push({ ...first, name: 'next', needs: [0], jobs: [job] });
        runs.unshift({ op: 'begin', at: 2, run: 'r2', agent: 'agent-1', jobId: 'job_next', attempt: 1 });
      },
    ],
  ],
  'stalls have a cause': [
    [
      'a stall out of the blue',
      (_, workflow) => insert(workflow, 5, event(0, 'job.stalled', 0, 0, State.processing, 'A1')),
    ],
    [
      'another agent was frozen',
      ({ disturbances }, workflow) => {
        insert(workflow, 5, event(0, 'job.stalled', 0, 0, State.processing, 'A1'));
        (disturbances as unknown[]).push({ kind: 'freeze-agent', target: 'agent-2', from: 900, to: 1100 });
      },
    ],
  ],
  'nothing is left over': [['a lease', ({ stored }) => void stored.leftover.push('leases: x')]],
};

test('a clean history breaks no rule', () => {
  expect(check(cleanHistory(), rulesFor(WEIGHTS))).toEqual([]);
});

test('every rule has a case', () => {
  expect(Object.keys(CASES).toSorted()).toEqual(Object.keys(rulesFor()).toSorted());
});

describe.each(Object.entries(CASES))('%s', (rule, cases) => {
  test.each(cases)('%s', (_, change) => {
    const history = cleanHistory();
    change(history, history.stored.workflows.get(ID) as Mutable<StoredWorkflow>);
    expect(broken(history)).toContain(rule);
  });
});

test('a stall of an agent that was frozen is no violation', () => {
  const history = cleanHistory();
  const workflow = history.stored.workflows.get(ID) as Mutable<StoredWorkflow>;
  insert(workflow, 5, event(0, 'job.stalled', 0, 0, State.processing, 'A1'));
  (history.disturbances as unknown[]).push({ kind: 'freeze-agent', target: 'agent-1', from: 900, to: 1100 });
  expect(broken(history)).not.toContain('stalls have a cause');
});
