// Collects the reasons why a run is denied, in the order in which they are found. A plan reports the first.

import { Problem } from '../../domain/problem.ts';

export type Denials = ReturnType<typeof createDenials>;

export function createDenials(before: readonly Problem[] = []) {
  const found = [...before];
  return {
    found: found as readonly Problem[],
    add: (problem: Problem): void => void found.push(problem),
    /**
     * Returns the result of `decide`. If `decide` throws a problem, the problem is added and `otherwise` is returned.
     */
    orElse<T>(decide: () => T, otherwise: T): T {
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
