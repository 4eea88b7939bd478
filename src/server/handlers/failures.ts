// GET /failures: the failures of jobs, in groups. GET /late: runs that take too long, and successes and scheduled times
// that were missed.

import { failureStates } from '../../domain/outcome/failure.ts';
import type { Late } from '../../domain/outcome/late.ts';
import { assertReached, type Reach } from '../../domain/principal.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { defined } from '../../lib/defined.ts';
import { fingerprintOf } from '../../store/failure-fingerprint.ts';
import { failureOf } from '../../store/failures.ts';
import type { RunReading } from '../../store/reading.ts';
import { toTimestampOrNull } from '../../store/run/run-rows.ts';
import type { Handlers } from '../exchange.ts';

const usualLimit = 100;
const unfixed = failureStates.filter((state) => state !== 'fixed');

export function createFailureHandlers(o: {
  readonly runs: RunReading;
  readonly jobIdOf: (idOrAlias: string) => string;
}): Pick<Handlers, 'listFailures' | 'listLate'> {
  return {
    async listLate({ request: { principal }, query }) {
      const { limit = usualLimit, job_id: job, state = 'open', tenant } = query;
      assertReached(principal, tenant);
      const jobId = job === undefined ? undefined : o.jobIdOf(job);
      const found = await o.runs.late({ limit, isOpen: state === 'open', ...defined({ tenant, jobId }) }, principal);
      return { late: found.map(toLateView) };
    },

    async listFailures({ request: { principal }, query }) {
      const { limit = usualLimit, job_id: job, run_id: runId, state, tenant, cursor } = query;
      assertReached(principal, tenant);
      const ofRun = runId === undefined ? undefined : await failureOfRun(o.runs, runId, principal);
      if (runId !== undefined && !ofRun) return { failures: [], next_cursor: null };
      const page = await o.runs.failures(
        {
          limit,
          ...defined({ tenant, cursor, jobId: job === undefined ? undefined : o.jobIdOf(job) }),
          ...(state !== undefined && { states: state === 'unfixed' ? unfixed : [state] }),
          ...ofRun,
        },
        principal,
      );
      return {
        failures: page.failures.map((failure) => ({
          job_id: failure.jobId,
          tenant: failure.tenant,
          fingerprint: failure.fingerprint,
          reason: failure.reason,
          sample: failure.sample,
          state: failure.state,
          count: failure.count,
          first_run: {
            run_id: failure.firstRunId,
            at: toTimestamp(failure.firstAtMs),
            revision: failure.firstRevision,
          },
          last_run: { run_id: failure.lastRunId, at: toTimestamp(failure.lastAtMs) },
        })),
        next_cursor: page.nextCursor,
      };
    },
  };
}

/** Returns the failure that the run belongs to; undefined if the run did not fail. */
async function failureOfRun(runs: RunReading, runId: string, reach: Reach) {
  const { job_id: jobId, tenant, status, reason, error } = await runs.summary(runId, reach);
  if (status !== 'failed') return undefined;
  return { jobId, tenant, fingerprint: fingerprintOf(failureOf({ reason, message: error?.message })) };
}

function toLateView({ jobId, tenant, kind, detail, atMs, runId, scheduleId, overAtMs }: Late) {
  return {
    job_id: jobId,
    tenant,
    kind,
    detail,
    at: toTimestamp(atMs),
    run_id: runId,
    schedule_id: scheduleId,
    over_at: toTimestampOrNull(overAtMs),
  };
}
