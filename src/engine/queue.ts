// How many runs may hold a process at once, and in words why another one waits.

export type QueueLimits = {
  readonly globalConcurrency: number;
  readonly jobConcurrency: number | null;
  readonly maxDepth: number | null;
};

/** A place for one running process. Released once, when the process is gone. */
export type Slot = { readonly release: () => void };

/** A place among those that wait. Given up once: when the run is stored as waiting, or not stored at all. */
export type Place = { readonly waiting: string; readonly release: () => void };

export type Slots = {
  readonly running: number;
  readonly free: number;
  /** A slot for a run of the job, or the sentence that says why there is none. */
  readonly take: (jobId: string) => Slot | string;
  readonly whyNone: (jobId: string) => string | null;
  /** A slot whatever the limits say: they were asked before, or the run holds a process already. */
  readonly hold: (jobId: string) => Slot;
};

export function createSlots(limits: QueueLimits, onRelease: () => void): Slots {
  const perJob = new Map<string, number>();
  let running = 0;

  function hold(jobId: string): Slot {
    running += 1;
    perJob.set(jobId, (perJob.get(jobId) ?? 0) + 1);
    let isHeld = true;
    return {
      release() {
        if (!isHeld) return;
        isHeld = false;
        running -= 1;
        const left = (perJob.get(jobId) ?? 1) - 1;
        if (left === 0) perJob.delete(jobId);
        else perJob.set(jobId, left);
        onRelease();
      },
    };
  }

  function whyNone(jobId: string): string | null {
    const ofJob = perJob.get(jobId) ?? 0;
    if (limits.jobConcurrency !== null && ofJob >= limits.jobConcurrency) {
      return `${ofJob} of ${limits.jobConcurrency} runs of ${jobId} are running`;
    }
    return running >= limits.globalConcurrency ? `${running} of ${limits.globalConcurrency} runs are running` : null;
  }

  return {
    get running() {
      return running;
    },
    get free() {
      return Math.max(0, limits.globalConcurrency - running);
    },
    take: (jobId) => whyNone(jobId) ?? hold(jobId),
    whyNone,
    hold,
  };
}
