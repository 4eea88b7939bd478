// Lists the workers. In this version the server itself is the only one.

import { hostname } from 'node:os';
import type { Engine } from '../../engine/engine.ts';
import { type Clock, toTimestamp } from '../../lib/clock.ts';
import type { Handlers } from '../exchange.ts';
import type { ActivityOf } from './activity.ts';

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
