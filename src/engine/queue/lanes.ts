// How many runs of a job, or of one value of its `concurrency.key`, may have started and not ended: the limits that hold a
// run back although a slot is free.

/** What a run is counted by. */
export type Lane = {
  readonly jobId: string;
  /** The job's `concurrency.limit`; null without one. */
  readonly limit: number | null;
  /** The value of `concurrency.key`; null without one. */
  readonly key: string | null;
};

/** A run as a lane counts it. */
export type LaneRun = { readonly id: string; readonly tenant: string };

export type Lanes = {
  /** The sentence that says why another one cannot start; null when it can. */
  readonly whyNone: (lane: Lane) => string | null;
  /** Counts a run from its start to its end. */
  readonly hold: (lane: Lane, run: LaneRun) => { readonly release: () => void };
  /** Runs that have started and not ended, oldest first. */
  readonly running: (lane: Lane) => readonly LaneRun[];
};

export function createLanes(jobConcurrency: number | null, onRelease: () => void): Lanes {
  const byJob = new Map<string, Map<string, LaneRun>>();
  const byKey = new Map<string, Map<string, LaneRun>>();

  return {
    whyNone(lane) {
      const { jobId, limit, key } = lane;
      const ofJob = byJob.get(jobId)?.size ?? 0;
      if (jobConcurrency !== null && ofJob >= jobConcurrency) {
        return `${ofJob} of ${jobConcurrency} runs of ${jobId} are running`;
      }
      if (limit === null) return null;
      const ofKey = byKey.get(laneId(lane))?.size ?? 0;
      if (ofKey < limit) return null;
      const which = key === null ? jobId : `${jobId} with the concurrency key '${key}'`;
      return `${ofKey} of ${limit} runs of ${which} are running`;
    },
    hold(lane, run) {
      const id = laneId(lane);
      enter(byJob, lane.jobId, run);
      enter(byKey, id, run);
      let isHeld = true;
      return {
        release() {
          if (!isHeld) return;
          isHeld = false;
          leave(byJob, lane.jobId, run);
          leave(byKey, id, run);
          onRelease();
        },
      };
    },
    running: (lane) => [...(byKey.get(laneId(lane))?.values() ?? [])],
  };
}

/** Names a lane among all of them. */
export function laneId({ jobId, key }: Lane): string {
  return key === null ? jobId : `${jobId}\n${key}`;
}

function enter(map: Map<string, Map<string, LaneRun>>, key: string, run: LaneRun): void {
  const runs = map.get(key) ?? new Map();
  map.set(key, runs.set(run.id, run));
}

function leave(map: Map<string, Map<string, LaneRun>>, key: string, { id }: LaneRun): void {
  const runs = map.get(key);
  runs?.delete(id);
  if (runs?.size === 0) map.delete(key);
}
