/** Why a job waits, and why an agent gets nothing. */
import type { ExplainAgentResponse__Output, ExplainJobResponse__Output } from '../../proto/gen/index.ts';
import { stateName } from '../common/states.ts';
import { callOnce } from './call.ts';
import type { CallOptions } from './call.ts';
import type { Connection } from './connection.ts';
import { readForecast } from './read-views.ts';
import type { AgentExplanation, JobExplanation } from './views.ts';

export async function explainJob(
  connection: Connection,
  jobId: string,
  call: CallOptions = {},
): Promise<JobExplanation> {
  const { state, forecast, nearest, ...rest } = await callOnce<ExplainJobResponse__Output>(
    connection,
    ({ operator }, options, callback) =>
      operator.explainJob({ jobId }, connection.metadata, options, callback),
    { idempotent: true, ...call },
  );
  return {
    ...rest,
    status: stateName(state),
    forecast: forecast === null ? null : readForecast(forecast),
    nearest,
  };
}

export async function explainAgent(
  connection: Connection,
  agentId: string,
  call: CallOptions = {},
): Promise<AgentExplanation> {
  return callOnce<ExplainAgentResponse__Output>(
    connection,
    ({ operator }, options, callback) =>
      operator.explainAgent({ agentId }, connection.metadata, options, callback),
    { idempotent: true, ...call },
  );
}
