/** ExplainJob and ExplainAgent: why a job waits, why an agent gets nothing. */
import type { State__Output } from '../../proto/gen/index.ts';
import type { OperatorHandlers } from '../../proto/gen/load.ts';
import { DibsError } from '../../sdk/common/errors.ts';
import { State, isTerminal, stateName } from '../../sdk/common/states.ts';
import type { Classes } from '../agents/classes.ts';
import type { Everyone } from '../agents/everyone.ts';
import { explainAgent, explainClass } from '../forecast/explain.ts';
import type { Forecast, Forecasts } from '../forecast/forecasts.ts';
import { requirementInWords } from '../queue/match.ts';
import { parseJobId } from '../queue/keys.ts';
import type { JobRecord, Reads } from '../queue/reads.ts';
import type { Store } from '../queue/store.ts';
import { forecastMessage } from '../workflow/job-messages.ts';
import { unary } from './handling.ts';
import type { Frame } from './handling.ts';

export interface ExplainParts {
  readonly frame: Frame;
  readonly store: Store;
  readonly reads: Reads;
  readonly classes: Pick<Classes, 'needs'>;
  readonly fleet: Pick<Everyone, 'members' | 'memberOf'>;
  readonly forecasts: Forecasts;
  /** What keeps the jobs of a queue, in words: a pause, a rate limit. */
  readonly holdsOf: (queue: string, type: string) => readonly string[];
}

export function explainHandlers(parts: ExplainParts): Pick<OperatorHandlers, 'explainJob' | 'explainAgent'> {
  const { frame, store, reads, classes, fleet, forecasts, holdsOf } = parts;
  return {
    explainJob: unary(frame, async ({ jobId: id }) => {
      const parsed = parseJobId(id);
      const cell = parsed && store.cellOf(parsed.wid);
      const notFound = new DibsError('JOB_NOT_FOUND', `There is no job "${id.slice(0, 100)}".`);
      if (parsed === undefined || cell === undefined) throw notFound;
      const { wid, step, ordinal } = parsed;
      const [job] = await reads.jobs(cell, wid, step, ordinal, ordinal + 1);
      const need = job && classes.needs.get(job.queue);
      if (job === undefined || need === undefined) throw notFound;
      const members = fleet.members();
      const { missed, nearest, open, eligible } = explainClass(need, members);
      const [forecast] = await forecasts.of(cell, [{ wid, step, ordinal, job }]);
      const holds = holdsOf(job.queue, need.type);
      return {
        jobId: id,
        state: job.state as State__Output,
        summary: summaryOf(job, { eligible, connected: members.length, open: open.length, holds, forecast }),
        queue: job.queue,
        requirement: requirementInWords(need.type, need.requirement),
        forecast: forecast === undefined ? null : forecastMessage(forecast),
        missed,
        nearest: nearest ?? null,
        openAgents: open.slice(0, 100).map((member) => member.id),
        holds,
      };
    }),

    explainAgent: unary(frame, async ({ agentId }) => {
      const member = fleet.memberOf(agentId);
      if (member === undefined)
        throw new DibsError('AGENT_NOT_FOUND', `No agent "${agentId.slice(0, 100)}" is connected.`);
      const outlook = await forecasts.outlook();
      const queues = [...outlook.waiting()].map(({ name, need, now }) => ({
        name,
        need,
        jobs: now?.jobs ?? 0,
      }));
      const { skipped, runnable } = explainAgent(member, queues);
      const waiting = queues.reduce((sum, { jobs }) => sum + jobs, 0);
      return {
        agentId,
        agentName: member.name,
        summary: agentSummary(member.closedWhy, waiting, runnable, skipped[0]?.example ?? ''),
        skipped,
        runnableJobs: runnable,
      };
    }),
  };
}

function agentSummary(closedWhy: string, waiting: number, runnable: number, first: string): string {
  if (closedWhy !== '') return `The agent ${closedWhy}.`;
  if (waiting === 0) return 'No job waits in any queue.';
  if (runnable === waiting) return `The agent can run all of the ${waiting} jobs that wait.`;
  return `The agent can run ${runnable} of the ${waiting} jobs that wait; of others it ${first}.`;
}

interface Situation {
  readonly eligible: number;
  readonly connected: number;
  readonly open: number;
  readonly holds: readonly string[];
  readonly forecast: Forecast | undefined;
}

function summaryOf(job: JobRecord, { eligible, connected, open, holds, forecast }: Situation): string {
  if (isTerminal(job.state))
    return `It has ended: ${stateName(job.state)}${job.reason === '' ? '' : ` (${job.reason})`}.`;
  if (job.state !== State.unassigned) return `The agent ${job.agent} has it (${stateName(job.state)}).`;
  if (forecast === undefined)
    return 'It is not in its queue yet: it waits for a retry, or its workflow is paused.';
  if (eligible === 0) return `None of ${connected} connected agents can run it.`;
  if (holds.length > 0) return `It waits: ${holds.join('; ')}.`;
  const before = forecast.position - 1;
  const ahead =
    before === 0 ? 'it is next' : before === 1 ? 'one job is before it' : `${before} jobs are before it`;
  if (open === 0) return `All ${eligible} agents that can run it are busy or closed; ${ahead}.`;
  return `${eligible} agents can run it, ${open} of them take jobs now; ${ahead}.`;
}
