// The limits of a run, how flwd enforces each of them, and how runs and messages show them.

import { sizeWords } from '../lib/units.ts';

/** The resources that a run may use; null means no limit. */
export type Resources = {
  /** The number of cores, which may be a fraction. */
  readonly cpu: number | null;
  readonly memoryBytes: number | null;
  /** The number of processes and threads together. */
  readonly pids: number | null;
  readonly workspaceBytes: number | null;
};

/**
 * `polling` means that flwd notices only afterwards that a run has exceeded the limit. `none` means that nothing
 * enforces the limit.
 */
export type LimitMeans = 'cgroup-v2' | 'cgroup-v1' | 'rlimit' | 'polling' | 'none';

/** What enforces each limit on this host. `detail` says why this host has no better means. */
export type LimitReport = Readonly<
  Record<'cpu' | 'memory' | 'pids' | 'workspace', { readonly by: LimitMeans; readonly detail: string | null }>
>;

export const noResources: Resources = { cpu: null, memoryBytes: null, pids: null, workspaceBytes: null };

type Held<Amount> = (Amount & { readonly by: LimitMeans }) | null;

/** The limits as a run or a plan shows them; null means no limit. Runs of version 0.1 have only `log_bytes`. */
export type RunLimits = {
  readonly log_bytes: number;
  readonly cpu?: Held<{ readonly cores: number }>;
  readonly memory?: Held<{ readonly bytes: number }>;
  readonly pids?: Held<{ readonly count: number }>;
  readonly workspace?: Held<{ readonly bytes: number }>;
};

export function shownLimits(resources: Resources, report: LimitReport, logBytes: number): RunLimits {
  const { cpu, memoryBytes, pids, workspaceBytes } = resources;
  return {
    log_bytes: logBytes,
    cpu: cpu === null ? null : { cores: cpu, by: report.cpu.by },
    memory: memoryBytes === null ? null : { bytes: memoryBytes, by: report.memory.by },
    pids: pids === null ? null : { count: pids, by: report.pids.by },
    workspace: workspaceBytes === null ? null : { bytes: workspaceBytes, by: report.workspace.by },
  };
}

/** Says why a run ended with reason `out_of_memory`. */
export function outOfMemoryMessage({ memoryBytes }: Resources): string {
  return memoryBytes === null
    ? 'needed more memory than was available'
    : `needed more than its ${sizeWords(memoryBytes)} of memory`;
}

/**
 * Says why a run ended with reason `quota_exceeded`. flwd measures the workspace only from time to time, so it may have
 * grown well past its limit.
 */
export function workspaceOverMessage(limitBytes: number, foundBytes: number): string {
  const limit = sizeWords(limitBytes);
  if (!Number.isFinite(foundBytes))
    return `its workspace has folders deeper than a path can name, or the run has too many files open to look through, so flwd cannot enforce its limit of ${limit}`;
  const over = sizeWords(foundBytes - limitBytes);
  return `its workspace grew to ${sizeWords(foundBytes)} or more, ${over} over its limit of ${limit}`;
}
