/** What an agent says of itself: to `dibs-agent status`, to the status file and to health checks. */

export interface AgentSnapshot {
  readonly pid: number;
  readonly agentId: string;
  readonly name: string;
  readonly version: string;
  readonly startedAt: string;
  /** serving, paused, draining, handing_back, closing, ended. */
  readonly state: string;
  readonly link: { readonly state: string; readonly coordinator: string; readonly lastError: string };
  readonly slots: { readonly total: number; readonly running: number; readonly waiting: number };
  readonly jobs: {
    readonly held: number;
    readonly finished: number;
    readonly refused: number;
    readonly wasted: number;
    /** Results the coordinator has not confirmed. */
    readonly unconfirmed: number;
  };
  readonly executors: readonly {
    readonly type: string;
    readonly concurrency: number;
    readonly isolation: string;
    readonly costPerSecond: number;
  }[];
  /** Executors at hand that are not offered, and why. */
  readonly notOffered: readonly { readonly type: string; readonly reason: string }[];
}
