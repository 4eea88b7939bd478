// Triggers as the server uses them: lists them, and starts jobs when runs of other jobs end (ADR 0069), when files
// appear, and when checks find something (ADR 0075).

import { type Reach, reachesJob } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import { endLeftChecks } from './check-process.ts';
import { followEnds } from './job-ends.ts';
import { createLooks, type Look } from './looks.ts';
import { type Trigger, type TriggerParts, triggersIn } from './trigger-parts.ts';
import { watchLoops } from './watch-loops.ts';

export type Triggers = {
  /** Sorted by job. @throws Problem not-ready */
  readonly list: () => readonly Trigger[];
  /** @throws Problem not-ready, trigger-not-found */
  readonly get: (id: string, reach: Reach) => Trigger;
  /** When a trigger looked last; undefined: not yet, or it follows a job. */
  readonly lookOf: (id: string) => Look | undefined;
  readonly start: () => void;
  /** Resolves when no more runs are started. */
  readonly close: () => Promise<void>;
};

export function createTriggers(o: TriggerParts): Triggers {
  const ending = new AbortController();
  const looks = createLooks(o);
  let following: Promise<unknown> | undefined;
  return {
    list: () => triggersIn(o.catalog),
    get(id, reach) {
      const found = triggersIn(o.catalog).find((trigger) => trigger.id === id && reachesJob(reach, trigger.jobId));
      if (found) return found;
      throw new Problem('trigger-not-found', `The trigger '${id}' does not exist.`);
    },
    lookOf: looks.of,
    start() {
      const { signal } = ending;
      following ??= Promise.all([
        followEnds(o, signal),
        endLeftChecks(o).then(() => watchLoops({ ...o, looks }, signal)),
      ]);
    },
    async close() {
      ending.abort();
      await following;
    },
  };
}
