// The work of this instance: its waiting and running runs, and its workers. In this version, the server itself is the
// only worker.

import { hostname } from 'node:os';
import type { Reach } from '../../domain/principal.ts';
import type { Engine } from '../../engine/engine.ts';
import { type Clock, toTimestamp } from '../../lib/clock.ts';
import type { RunReading } from '../../store/reading.ts';
import type { Handlers } from '../exchange.ts';

/** Counts the waiting and the running runs that the caller may see. */
export type ActivityOf = (reach: Reach) => Promise<{ readonly depth: number; readonly running: number }>;

export function createActivity(o: { readonly engine: Pick<Engine, 'queue'>; readonly runs: RunReading }): ActivityOf {
  return async (reach) => {
    if (reach.tenant === '*' && !reach.jobs) return o.engine.queue();
    const { pending, running } = await o.runs.counts(reach);
    return { depth: pending, running };
  };
}

export function createWorkerHandlers(o: {
  readonly engine: Pick<Engine, 'queue'>;
  readonly activityOf: ActivityOf;
  readonly clock: Clock;
  readonly version: string;
}): Pick<Handlers, 'listWorkers'> {
  return {
    async listWorkers({ request }) {
      const { globalConcurrency } = o.engine.queue();
      const { running } = await o.activityOf(request.principal);
      const itself = {
        id: hostname(),
        host: hostname(),
        version: o.version,
        labels: {},
        concurrency: globalConcurrency,
        running,
        seen_at: toTimestamp(o.clock.now()),
      };
      return { workers: [itself] };
    },
  };
}
