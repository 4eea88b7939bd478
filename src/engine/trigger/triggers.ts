// Triggers as the server uses them: lists them, and starts jobs when runs of other jobs end (ADR 0069), when files
// appear, and when checks find something (ADR 0075).

import { type Reach, reachesJob } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import { triggersPausedProblem } from '../../domain/trigger/paused.ts';
import { atMost } from '../../lib/at-most.ts';
import { endLeftChecks } from './check-process.ts';
import { followEnds } from './job-ends.ts';
import { createLooks } from './looks.ts';
import { type Trigger, type TriggerParts, triggersIn } from './trigger-parts.ts';
import { watchLoops } from './watch-loops.ts';

export type Triggers = ReturnType<typeof createTriggers>;

/** How long a stopping server waits for the triggers to stop. It has five seconds to stop everything. */
const closingMs = 2_500;

export function createTriggers(o: TriggerParts) {
  const ending = new AbortController();
  const looks = createLooks(o);
  let following: Promise<unknown> | undefined;

  function list(): readonly Trigger[] {
    const triggers = triggersIn(o.catalog);
    return o.triggersPaused
      ? triggers.map((one) => ({ ...one, denied: one.denied ?? triggersPausedProblem() }))
      : triggers;
  }

  return {
    /** Sorted by job. @throws Problem not-ready */
    list,
    /** @throws Problem not-ready, trigger-not-found */
    get(id: string, reach: Reach): Trigger {
      const found = list().find((trigger) => trigger.id === id && reachesJob(reach, trigger.jobId));
      if (found) return found;
      throw new Problem('trigger-not-found', `The trigger '${id}' does not exist.`);
    },
    /**
     * When a trigger last read its folder or ran its check; undefined if it has not done so yet, or if it follows a
     * job.
     */
    lookOf: looks.of,
    start(): void {
      const { signal } = ending;
      if (following) return;
      if (!o.triggersPaused) following = Promise.all([followEnds(o, signal), watchLoops({ ...o, looks }, signal)]);
      void endLeftChecks(o);
    },
    /** Resolves when no more runs are started. */
    async close(): Promise<void> {
      ending.abort();
      // A folder that does not answer keeps its loop waiting. Such a loop starts no more runs.
      await atMost(closingMs, following);
    },
  };
}
