// The runs that wait in this process: how many there are, in which concurrency group each one is, and why it waits.

import type { PendingRun } from '../../store/run/runs.ts';
import { type ConcurrencyGroup, type GroupRun, groupId } from './concurrency-groups.ts';

export type WaitingRun = PendingRun & { waiting: string | null };

export type WaitingRuns = ReturnType<typeof createWaitingRuns>;

export function createWaitingRuns() {
  const runs = new Map<string, WaitingRun>();
  const groups = new Map<string, { readonly group: ConcurrencyGroup; readonly runs: Map<string, GroupRun> }>();
  let subRunCount = 0;

  return {
    get depth() {
      return runs.size;
    },
    /**
     * How many runs count towards `max_depth`. Sub-runs do not count: their parents have started, and would wait
     * forever for a sub-run that is refused.
     */
    get boundedDepth() {
      return runs.size - subRunCount;
    },
    get: (runId: string) => runs.get(runId),
    all: () => runs.values(),
    /** A run that is already there keeps its position in its group. */
    add(run: PendingRun): void {
      const group = groupOfRun(run);
      const id = groupId(group);
      if (!runs.has(run.id) && isSubRun(run)) subRunCount += 1;
      runs.set(run.id, { ...run });
      const inGroup = groups.get(id)?.runs ?? new Map<string, GroupRun>();
      groups.set(id, { group, runs: inGroup.set(run.id, run) });
    },
    remove(runId: string): void {
      const run = runs.get(runId);
      if (!run) return;
      runs.delete(runId);
      if (isSubRun(run)) subRunCount -= 1;
      const id = groupId(groupOfRun(run));
      const inGroup = groups.get(id)?.runs;
      inGroup?.delete(runId);
      if (inGroup?.size === 0) groups.delete(id);
    },
    /** The group with the limit of its newest run, because the job may have been edited. */
    groupOf: (id: string) => groups.get(id)?.group,
    /** Oldest first. */
    inGroup: (group: ConcurrencyGroup): readonly GroupRun[] => [...(groups.get(groupId(group))?.runs.values() ?? [])],
  };
}

export function groupOfRun({ jobId, concurrency }: Pick<PendingRun, 'jobId' | 'concurrency'>): ConcurrencyGroup {
  return { jobId, limit: concurrency.limit, key: concurrency.key };
}

export function isSubRun({ trigger }: Pick<PendingRun, 'trigger'>): boolean {
  return trigger === 'job';
}
