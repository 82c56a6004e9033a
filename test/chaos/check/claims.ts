/** Claims: one holder at a time, results of the holder only, and no more claims than there were reasons for. */
import { State } from '../../../sdk/common/states.ts';
import type { LoggedEvent } from '../../../coordinator/events/log-entries.ts';
import type { StoredJob, StoredWorkflow } from '../history/stored.ts';
import type { Rule } from './history.ts';

function* jobsOf(workflow: StoredWorkflow): Generator<{ job: StoredJob; events: LoggedEvent[] }> {
  const byJob = new Map<string, LoggedEvent[]>();
  for (const event of workflow.events) {
    if (event.ordinal < 0) continue;
    const place = `${event.step},${event.ordinal}`;
    const list = byJob.get(place);
    if (list === undefined) byJob.set(place, [event]);
    else list.push(event);
  }
  for (const { jobs } of workflow.steps)
    for (const job of jobs) yield { job, events: byJob.get(`${job.step},${job.ordinal}`) ?? [] };
}

/** A job is claimed only while nobody holds it, and whatever an agent brings about, it does while it holds the job. */
export const oneHolder: Rule = function* ({ stored }) {
  for (const workflow of stored.workflows.values()) {
    for (const { job, events } of jobsOf(workflow)) {
      let holder = '';
      for (const { type, agent, state } of events) {
        if (type === 'job.claimed') {
          if (holder !== '') yield `${job.id} was claimed by ${agent} while ${holder} held it`;
          holder = agent;
        } else if (type === 'job.released' || type === 'job.recovered') {
          if (holder === '') yield `${job.id}: ${type}, and nobody held it`;
          holder = '';
        } else if (type === 'job.started' || type === 'job.progress' || type === 'job.succeeded') {
          if (holder === '') yield `${job.id}: ${type}, and nobody held it`;
          if (agent !== '' && agent !== holder)
            yield `${job.id}: ${type} by ${agent} while ${holder || 'nobody'} held it`;
        } else if (type === 'job.stalled' && holder !== agent)
          yield `${job.id} stalled at ${agent}; ${holder || 'nobody'} held it`;
        if (/\.(succeeded|failed|expired|canceled)$/.test(type) && state >= State.succeeded) holder = '';
      }
    }
  }
};

/** What is stored as a job's output was made by the agent whose claim it was. */
export const outputOfHolder: Rule = function* ({ stored, agentNames, runs }) {
  const ended = new Set(runs.filter(({ op }) => op === 'end').map(({ run }) => run));
  for (const workflow of stored.workflows.values()) {
    for (const { jobs } of workflow.steps) {
      for (const job of jobs) {
        if (job.output === '') continue;
        const output = JSON.parse(job.output) as { agent: string; run: string };
        const name = agentNames.get(job.agent) ?? job.agent;
        if (output.agent !== name)
          yield `${job.id} holds a result of ${output.agent}; the claim was ${name}'s`;
        if (!ended.has(output.run))
          yield `${job.id} holds a result of run ${output.run}, which nobody finished`;
      }
    }
  }
};

/** One claim, and one more for each time the job came back. */
export const claimsExplained: Rule = function* ({ stored, maxRecoveries }) {
  for (const workflow of stored.workflows.values()) {
    for (const { job, events } of jobsOf(workflow)) {
      const count = (type: string): number => events.filter((event) => event.type === type).length;
      const claimed = count('job.claimed');
      const back = count('job.released') + count('job.recovered');
      if (claimed > 1 + back) yield `${job.id} was claimed ${claimed} times and came back ${back} times`;
      if (job.claims !== claimed)
        yield `${job.id} has ${claimed} claims in its log, ${job.claims} in its record`;
      if (count('job.recovered') !== job.recoveries || job.recoveries > maxRecoveries)
        yield `${job.id} was recovered ${count('job.recovered')} times; its record says ${job.recoveries}`;
      if (job.reason === 'RECOVERY_EXHAUSTED' && count('job.stalled') !== maxRecoveries + 1)
        yield `${job.id} was given up after ${count('job.stalled')} stalls`;
    }
  }
};

/** An offer lapses only while its job has not begun: a start is a sign of life that ends the offer. */
export const onlyOffersLapse: Rule = function* ({ stored }) {
  for (const workflow of stored.workflows.values()) {
    for (const { job, events } of jobsOf(workflow)) {
      let begun = false;
      for (const { type, reason } of events) {
        if (type === 'job.claimed') begun = false;
        if (type === 'job.started' || type === 'job.progress') begun = true;
        if (type === 'job.released' && reason === 'OFFER_LAPSED' && begun)
          yield `${job.id} went back as a lapsed offer after it had begun`;
      }
    }
  }
};

/** Every attempt of a step's slot is accounted for: successes fill each slot once. */
export const slotsFilledOnce: Rule = function* ({ stored }) {
  for (const workflow of stored.workflows.values()) {
    for (const { name, view, jobs } of workflow.steps) {
      if (view.state !== State.succeeded) continue;
      const filled = jobs.filter(({ state }) => state === State.succeeded).map(({ slot }) => slot);
      if (new Set(filled).size !== filled.length) yield `${workflow.id} ${name}: a slot has two results`;
      if (filled.length !== view.total)
        yield `${workflow.id} ${name}: ${filled.length} results for ${view.total} jobs`;
    }
  }
};
