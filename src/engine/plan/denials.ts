// Collects the reasons why a run is denied, in the order in which they are found. A plan reports the first.

import { Problem } from '../../domain/problem.ts';

export type Denials = {
  readonly found: readonly Problem[];
  readonly add: (problem: Problem) => void;
  /** Answers what `decide` answers. When it throws a problem, that is added and the answer is `otherwise`. */
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
