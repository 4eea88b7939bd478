// What stands in the way of a run, in the order in which it was found: a plan names the first.

import { Problem } from '../../domain/problem.ts';

export type Denials = {
  readonly found: readonly Problem[];
  readonly add: (problem: Problem) => void;
  /** What is decided; `otherwise` where a problem is thrown, which is added. */
  readonly orElse: <T>(decide: () => T, otherwise: T) => T;
};

export function createDenials(before: readonly Problem[] = []): Denials {
  const found = [...before];
  return {
    found,
    add: (problem) => void found.push(problem),
    orElse(decide, otherwise) {
      try {
        return decide();
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        found.push(error);
        return otherwise;
      }
    },
  };
}
