// Triggers as the server uses them: lists them, and starts jobs when runs of other jobs end (ADR 0069), when files
// appear, and when checks find something (ADR 0075).

import { type Reach, reachesJob } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import { atMost } from '../../lib/at-most.ts';
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

/** A server that is told to stop has five seconds for everything. */
const closingMs = 2_500;

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
      if (following) return;
      following = Promise.all([followEnds(o, signal), watchLoops({ ...o, looks }, signal)]);
      void endLeftChecks(o);
    },
    async close() {
      ending.abort();
      // A folder that does not answer keeps its loop waiting, which starts no runs any more.
      await atMost(closingMs, following);
    },
  };
}
