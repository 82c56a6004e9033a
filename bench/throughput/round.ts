/** One measured round: the submitter runs its jobs while the CPU of every role and of the machine is taken. */
import { machineCpu, processCpu } from '../support/process-cpu.ts';
import type { ProcessCpu } from '../support/process-cpu.ts';
import type { RoleProcess } from '../support/role-process.ts';
import type { RoundAnswer, RoundAsk } from '../support/tally.ts';

/** A process that is measured; several may share a name. */
export interface Measured {
  readonly name: string;
  readonly pid: number;
}

/** A system under test: warm, with a submitter that knows the command "round". */
export interface SystemUnderTest {
  readonly submitter: RoleProcess;
  readonly processes: readonly Measured[];
}

export interface RoleUse {
  /** CPU milliseconds of all processes of this name. */
  readonly cpuMs: number;
  /** Share of a core that the busiest thread of this name used. */
  readonly busiest: number;
}

export interface Round {
  readonly jobs: number;
  readonly perSecond: number;
  readonly wallMs: number;
  readonly roles: Readonly<Record<string, RoleUse>>;
  /** Cores this side's processes used. */
  readonly cores: number;
  /** Cores that others on this machine used meanwhile. */
  readonly foreignCores: number;
}

export async function runRound(system: SystemUnderTest, ask: RoundAsk): Promise<Round> {
  const before = system.processes.map(({ pid }) => processCpu(pid));
  const machineBefore = machineCpu();
  const startedAt = performance.now();
  const { wallMs, completed } = await system.submitter.ask<RoundAnswer>('round', ask);
  const elapsedMs = performance.now() - startedAt;
  const machine = machineCpu().busyMs - machineBefore.busyMs;
  const after = system.processes.map(({ pid }) => processCpu(pid));
  if (completed !== ask.jobs)
    throw new Error(`mismatch: ${completed} of ${ask.jobs} jobs were seen completed`);
  const roles: Record<string, RoleUse> = {};
  let ownMs = 0;
  system.processes.forEach(({ name }, index) => {
    const use = useBetween(before[index] as ProcessCpu, after[index] as ProcessCpu, elapsedMs);
    const known = roles[name];
    roles[name] = {
      cpuMs: use.cpuMs + (known?.cpuMs ?? 0),
      busiest: Math.max(use.busiest, known?.busiest ?? 0),
    };
    ownMs += use.cpuMs;
  });
  return {
    jobs: ask.jobs,
    perSecond: (ask.jobs / wallMs) * 1000,
    wallMs,
    roles,
    cores: ownMs / elapsedMs,
    foreignCores: Math.max(0, machine - ownMs) / elapsedMs,
  };
}

function useBetween(before: ProcessCpu, after: ProcessCpu, elapsedMs: number): RoleUse {
  let busiestMs = 0;
  for (const [tid, ms] of after.threads) busiestMs = Math.max(busiestMs, ms - (before.threads.get(tid) ?? 0));
  return { cpuMs: after.totalMs - before.totalMs, busiest: busiestMs / elapsedMs };
}
