// Limits how many runs of a job run at once: all of its runs, or the runs with the same value of its `concurrency.key`.
// So a run may have to wait although a slot is free.

/** The runs that are counted together. */
export type ConcurrencyGroup = {
  readonly jobId: string;
  /** The job's `concurrency.limit`; null if the job sets no limit. */
  readonly limit: number | null;
  /** The value of `concurrency.key`; null if the job sets no key. */
  readonly key: string | null;
};

/** A run, as a concurrency group counts it. */
export type GroupRun = { readonly id: string; readonly tenant: string };

export type ConcurrencyGroups = ReturnType<typeof createConcurrencyGroups>;

export function createConcurrencyGroups(jobConcurrency: number | null, onRelease: () => void) {
  const byJob = new Map<string, Map<string, GroupRun>>();
  const byKey = new Map<string, Map<string, GroupRun>>();
  const held = new Set<string>();

  return {
    /** Says why another run cannot start; null when it can. */
    whyNone(group: ConcurrencyGroup): string | null {
      const { jobId, limit, key } = group;
      const ofJob = byJob.get(jobId)?.size ?? 0;
      if (jobConcurrency !== null && ofJob >= jobConcurrency) {
        return `${runsWords(jobConcurrency)} of ${jobId} at a time`;
      }
      if (limit === null) return null;
      const ofKey = byKey.get(groupId(group))?.size ?? 0;
      if (ofKey < limit) return null;
      const which = key === null ? jobId : `${jobId} with the concurrency key '${key}'`;
      return `${runsWords(limit)} of ${which} at a time`;
    },
    /** Counts a run from its start to its end. */
    hold: (group: ConcurrencyGroup, run: GroupRun) => {
      const id = groupId(group);
      enter(byJob, group.jobId, run);
      enter(byKey, id, run);
      held.add(run.id);
      let isHeld = true;
      return {
        release(): void {
          if (!isHeld) return;
          isHeld = false;
          leave(byJob, group.jobId, run);
          leave(byKey, id, run);
          held.delete(run.id);
          onRelease();
        },
      };
    },
    /** Whether the run is counted in any group. */
    holds: (runId: string) => held.has(runId),
    /** The runs that have started and not ended, oldest first. */
    running: (group: ConcurrencyGroup): readonly GroupRun[] => [...(byKey.get(groupId(group))?.values() ?? [])],
  };
}

function runsWords(most: number): string {
  return most === 1 ? 'only one run' : `only ${most} runs`;
}

export function groupId({ jobId, key }: ConcurrencyGroup): string {
  return key === null ? jobId : `${jobId}\n${key}`;
}

function enter(map: Map<string, Map<string, GroupRun>>, key: string, run: GroupRun): void {
  const runs = map.get(key) ?? new Map();
  map.set(key, runs.set(run.id, run));
}

function leave(map: Map<string, Map<string, GroupRun>>, key: string, { id }: GroupRun): void {
  const runs = map.get(key);
  runs?.delete(id);
  if (runs?.size === 0) map.delete(key);
}
