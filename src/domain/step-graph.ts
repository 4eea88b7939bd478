// The steps of one run as a graph. Given the steps that have ended, it decides which steps may start, which are
// skipped, and how the run ends. The caller evaluates conditions, creates instances and starts processes.

import { invariant } from './problem.ts';

/** What the graph must know about a step. The steps are in the order of the job. */
export type GraphStep = {
  readonly id: string;
  readonly needs: readonly string[];
  readonly continueOnError: boolean;
  readonly always: boolean;
};

export type StepEnd = 'success' | 'failed' | 'cancelled' | 'condition' | 'upstream_failed';

/**
 * `skip` is true if the end of a step that this step needs counts as a failure, unless this step runs `always`.
 * Otherwise the step may start.
 */
type ReadyStep = { readonly index: number; readonly skip: boolean };

export type StepGraph = ReturnType<typeof createStepGraph>;

/** Creates the graph. The job was checked when it was read, so all needed steps exist and there is no cycle. */
export function createStepGraph(steps: readonly GraphStep[]) {
  const indexOf = new Map(steps.map(({ id }, index) => [id, index]));
  const dependents: number[][] = steps.map(() => []);
  const openNeeds = steps.map(({ needs }, index) => {
    for (const need of needs) {
      const at = indexOf.get(need);
      invariant(at !== undefined, 'a step needs only steps of its own job');
      dependents[at]?.push(index);
    }
    return needs.length;
  });
  const isUpstreamFailed = steps.map(() => false);
  const ends: (StepEnd | undefined)[] = steps.map(() => undefined);
  let ready = openNeeds.flatMap((open, index) => (open === 0 ? [index] : []));
  let left = steps.length;
  let failedIndex: number | undefined;

  /** Whether the end of a step counts as a failure. A step that was skipped because of its own condition does not. */
  function isFailure(index: number, how: StepEnd): boolean {
    if (how === 'success' || how === 'condition') return false;
    return how !== 'failed' || !steps[index]?.continueOnError;
  }

  return {
    /** True once every step has ended. */
    get isOver(): boolean {
      return left === 0;
    },
    /** The step that made the run fail: the first failed step without `continue_on_error`. */
    get failedIndex(): number | undefined {
      return failedIndex;
    },
    /**
     * Returns the steps that have become ready since the last call. Each step is returned once. The caller must also
     * end the steps that it skips.
     */
    takeReady(): readonly ReadyStep[] {
      const taken = ready.filter((index) => ends[index] === undefined);
      ready = [];
      return taken.map((index) => ({ index, skip: isUpstreamFailed[index] === true && !steps[index]?.always }));
    },
    /** Records the end of a step, which happens only once for each step. */
    end(index: number, how: StepEnd): void {
      invariant(ends[index] === undefined, 'a step ends once');
      ends[index] = how;
      left -= 1;
      const isFailed = isFailure(index, how);
      if (isFailed && how === 'failed') failedIndex ??= index;
      for (const dependent of dependents[index] ?? []) {
        if (isFailed) isUpstreamFailed[dependent] = true;
        openNeeds[dependent] = (openNeeds[dependent] ?? 0) - 1;
        if (openNeeds[dependent] === 0) ready.push(dependent);
      }
    },
    endOf: (index: number): StepEnd | undefined => ends[index],
  };
}
