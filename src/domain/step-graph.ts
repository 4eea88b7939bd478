// The steps of one run as a graph: which of them may begin, which are skipped, and how the run ends by them. It decides by
// what has ended alone; conditions, instances and processes are the caller's.

import { invariant } from './problem.ts';

/** What the graph has to know of a step, in the job's order. */
export type GraphStep = {
  readonly id: string;
  readonly needs: readonly string[];
  readonly continueOnError: boolean;
  readonly always: boolean;
};

export type StepEnd = 'success' | 'failed' | 'cancelled' | 'condition' | 'upstream_failed';

/** `skip`: something that it needs has failed, or was never reached. Else its turn has come. */
type ReadyStep = { readonly index: number; readonly skip: boolean };

export type StepGraph = {
  /** Every step has ended. */
  readonly isOver: boolean;
  /** Steps whose turn has come since the last call; each is told once. One that is skipped has to be ended, too. */
  readonly takeReady: () => readonly ReadyStep[];
  /** Each step ends once. */
  readonly end: (index: number, how: StepEnd) => void;
  readonly endOf: (index: number) => StepEnd | undefined;
  /** The step that failed the run: the first that failed and was not to be passed over. */
  readonly failedIndex: number | undefined;
};

/** The needs exist and come to an end: the job was checked when it was read. */
export function createStepGraph(steps: readonly GraphStep[]): StepGraph {
  const indexOf = new Map(steps.map(({ id }, index) => [id, index]));
  const dependents: number[][] = steps.map(() => []);
  const openNeeds = steps.map(({ needs }, index) => {
    for (const need of needs) {
      const at = indexOf.get(need);
      invariant(at !== undefined, 'a step needs steps of its job alone');
      dependents[at]?.push(index);
    }
    return needs.length;
  });
  const isUpstreamFailed = steps.map(() => false);
  const ends: (StepEnd | undefined)[] = steps.map(() => undefined);
  let ready = openNeeds.flatMap((open, index) => (open === 0 ? [index] : []));
  let left = steps.length;
  let failedIndex: number | undefined;

  /** A step that was skipped by its own condition has done what it had to. */
  function isFailure(index: number, how: StepEnd): boolean {
    if (how === 'success' || how === 'condition') return false;
    return how !== 'failed' || !steps[index]?.continueOnError;
  }

  return {
    get isOver() {
      return left === 0;
    },
    get failedIndex() {
      return failedIndex;
    },
    takeReady() {
      const taken = ready.filter((index) => ends[index] === undefined);
      ready = [];
      return taken.map((index) => ({ index, skip: isUpstreamFailed[index] === true && !steps[index]?.always }));
    },
    end(index, how) {
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
    endOf: (index) => ends[index],
  };
}
