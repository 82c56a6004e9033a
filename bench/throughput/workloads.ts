/**
 * What a rate scenario runs. A flow is what is submitted as one: a workflow, or a tree of BullMQ jobs.
 *
 * Every result is checked: each flow's number comes back with it, and a sample of results is looked at whole.
 */
export type WorkloadName = 'throughput' | 'fanout' | 'chain3' | 'fan10';

export interface Workload {
  readonly name: WorkloadName;
  readonly about: string;
  readonly unit: 'jobs/s' | 'flows/s';
  /** What one flow counts in the unit. */
  readonly perFlow: number;
  /** Flows of one stretch of the warm-up. */
  readonly stretch: number;
  /** Flows under way at most, either side. */
  readonly window: number;
}

/** Jobs of one fan-out. */
export const FAN_OUT = 10_000;
/** Jobs of one small fan-out, merged by one more. */
export const FAN_IN = 10;

export const WORKLOADS: Readonly<Record<WorkloadName, Workload>> = {
  throughput: {
    name: 'throughput',
    about: 'workflows of one no-op job each; BullMQ: addBulk of 1000 jobs',
    unit: 'jobs/s',
    perFlow: 1,
    stretch: 4000,
    window: 10_000,
  },
  fanout: {
    name: 'fanout',
    about: `workflows of one step with ${FAN_OUT} no-op jobs; BullMQ: as many by addBulk of 1000 jobs`,
    unit: 'jobs/s',
    perFlow: FAN_OUT,
    stretch: 1,
    window: 2,
  },
  chain3: {
    name: 'chain3',
    about:
      'three no-op steps, each with the output of the one before; BullMQ: FlowProducer.addBulk of three generations',
    unit: 'flows/s',
    perFlow: 1,
    stretch: 1000,
    window: 3000,
  },
  fan10: {
    name: 'fan10',
    about: `${FAN_IN} no-op jobs and one that takes all their outputs; BullMQ: FlowProducer.addBulk of a parent with ${FAN_IN} children`,
    unit: 'flows/s',
    perFlow: 1,
    stretch: 300,
    window: 1000,
  },
};
