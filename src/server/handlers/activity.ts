// Counts the runs that wait and the runs that are running, in the whole instance or of those the caller sees.

import type { Reach } from '../../domain/principal.ts';
import type { Engine } from '../../engine/engine.ts';
import type { RunReading } from '../../store/reading.ts';

export type ActivityOf = (reach: Reach) => Promise<{ readonly depth: number; readonly running: number }>;

export function createActivity(o: { readonly engine: Pick<Engine, 'queue'>; readonly runs: RunReading }): ActivityOf {
  return async (reach) => {
    if (reach.tenant === '*' && !reach.jobs) return o.engine.queue();
    const { pending, running } = await o.runs.counts(reach);
    return { depth: pending, running };
  };
}
