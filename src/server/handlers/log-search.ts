// GET /logs: searches the logs of all runs that the caller may see.

import { assertReached } from '../../domain/principal.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { defined } from '../../lib/defined.ts';
import type { RunReading } from '../../store/reading.ts';
import type { Handlers } from '../exchange.ts';
import { toMs } from './query-values.ts';

const usualLines = 100;

export function createLogSearchHandlers(o: {
  readonly runs: RunReading;
  readonly jobIdOf: (idOrAlias: string) => string;
}): Pick<Handlers, 'searchLogs'> {
  return {
    async searchLogs({ request: { principal }, query }) {
      const { q: text, job_id: job, limit = usualLines, since, until, ...rest } = query;
      assertReached(principal, query.tenant);
      const jobId = job === undefined ? undefined : o.jobIdOf(job);
      const filter = defined({ ...rest, text, jobId, sinceMs: toMs(since), untilMs: toMs(until) });
      const page = await o.runs.searchLogs({ ...filter, limit }, principal);
      return {
        hits: page.hits.map(({ runId, jobId: ofJob, ...line }) => ({ run_id: runId, job_id: ofJob, ...line })),
        next_cursor: page.nextCursor,
        searched: {
          from: page.fromMs === null ? null : toTimestamp(page.fromMs),
          bytes: page.bytes,
          segments: page.segments,
          unreadable: page.unreadable,
        },
      };
    },
  };
}
