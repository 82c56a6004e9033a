/** A workflow whose event log is read as it grows, over lost connections, and kept. */
import type { DibsClient, JobView, LogEvent, WorkflowView } from '../../../sdk/client/index.ts';
import { until } from '../../support/until.ts';

export class FollowedWorkflow {
  readonly id: string;
  readonly events: LogEvent[] = [];
  resyncs = 0;
  readonly #client: DibsClient;
  #failure: Error | undefined;
  #over = false;

  constructor(client: DibsClient, id: string) {
    this.#client = client;
    this.id = id;
    void this.#follow();
  }

  /** The first event, past or to come, that is accepted. */
  async event(what: string, accept: (event: LogEvent) => boolean, timeoutMs: number): Promise<LogEvent> {
    return until(
      what,
      () => {
        const found = this.events.find(accept);
        if (found === undefined && this.#failure !== undefined) throw this.#failure;
        return found;
      },
      { timeoutMs, everyMs: 20 },
    );
  }

  /** Who began to run its only job, and when: the first claim of an accepted agent that a start follows. */
  async started(
    what: string,
    accept: (agentId: string) => boolean,
    timeoutMs: number,
  ): Promise<{ agentId: string; atMs: number }> {
    let agentId = '';
    const event = await this.event(
      what,
      ({ type, agentId: claimer }) => {
        if (type === 'job.claimed') agentId = claimer ?? '';
        return type === 'job.started' && accept(agentId);
      },
      timeoutMs,
    );
    return { agentId, atMs: event.at?.getTime() ?? 0 };
  }

  /** The workflow with its jobs, once its log has ended. */
  async end(timeoutMs: number): Promise<WorkflowView> {
    await until(
      `the end of ${this.id}`,
      () => {
        if (this.#failure !== undefined) throw this.#failure;
        return this.#over;
      },
      { timeoutMs, everyMs: 20 },
    );
    return this.#client.get(this.id, { includeJobs: true });
  }

  count(type: LogEvent['type']): number {
    return this.events.filter((event) => event.type === type).length;
  }

  async #follow(): Promise<void> {
    try {
      for await (const event of this.#client.watch(this.id)) {
        if (event.type === 'resync') this.resyncs += 1;
        else this.events.push(event);
      }
      this.#over = true;
    } catch (error) {
      this.#failure = error as Error;
    }
  }
}

export function jobsOf(workflow: WorkflowView): JobView[] {
  return workflow.steps.flatMap((step) => [...step.jobs]);
}
