// Starts the run of a schedule for one nominal time, in the same transaction that marks this time as dealt with.

import { Problem, problemType } from '../../domain/problem.ts';
import type { FireError, Schedule, ScheduleState } from '../../domain/schedule.ts';
import { type Clock, toTimestamp } from '../../lib/clock.ts';
import { createId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Store } from '../../store/open.ts';
import type { Alongside, Caller } from '../create.ts';
import type { Created } from '../once.ts';
import type { RunRequest } from '../plan/plan.ts';

/** What happened to the nominal time. `kept`: it may be tried again. `gone`: the schedule no longer exists. */
type Fired = { readonly outcome: 'settled' | 'kept' | 'gone'; readonly state: Partial<ScheduleState> };

export type Firing = {
  readonly start: (schedule: Schedule, nominalAtMs: number, isLastTry: () => boolean) => Promise<Fired>;
};

/** Problems that may pass: a full queue, a disk that cannot be written, sources that are still being read. */
const passing: ReadonlySet<string> = new Set(['queue-full', 'not-ready', 'execution-error']);

export function createFiring(o: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly createRun: (
    request: RunRequest,
    caller: Caller,
    idempotencyKey: undefined,
    alongside: Alongside,
  ) => Promise<Created>;
}): Firing {
  const { store, clock, log } = o;

  async function fire(schedule: Schedule, nominalAtMs: number): Promise<Partial<ScheduleState>> {
    const { id, jobId, tenant, args } = schedule;
    const atMs = clock.now();
    const labels = { ...schedule.labels, schedule_id: id, nominal_at: toTimestamp(nominalAtMs) };
    const caller: Caller = {
      principal: { kind: 'schedule', name: `schedule:${id}`, scopes: ['runs:write'], tenant },
      trigger: 'schedule',
      requestId: createId('req', atMs),
    };
    const { runId } = await o.createRun(
      { job_id: jobId, args, tenant, labels },
      caller,
      undefined,
      async (tx, runId) => {
        if (await store.schedules.fire(tx, id, { nominalAtMs, atMs, runId })) return;
        throw new Problem('idempotency-conflict', `The schedule '${id}' has already dealt with ${labels.nominal_at}.`);
      },
    );
    log.info({ schedule_id: id, job_id: jobId, run_id: runId, nominal_at: labels.nominal_at }, 'a schedule fired');
    return { settledAtMs: nominalAtMs, lastFire: { nominalAtMs, atMs, runId }, lastError: null };
  }

  return {
    async start(schedule, nominalAtMs, isLastTry) {
      try {
        return { outcome: 'settled', state: await fire(schedule, nominalAtMs) };
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        const { slug } = error;
        // The database is right, whatever was known here: this time, or a later one, has been dealt with.
        if (slug === 'idempotency-conflict') {
          await store.db.transact((tx) => store.schedules.settle(tx, schedule.id, nominalAtMs, null));
          const state = (await store.schedules.states()).get(schedule.id);
          return state ? { outcome: 'settled', state } : { outcome: 'gone', state: {} };
        }
        const lastError: FireError = {
          nominalAtMs,
          atMs: clock.now(),
          type: problemType(slug),
          detail: error.message,
        };
        if (passing.has(slug) && !isLastTry()) return { outcome: 'kept', state: { lastError } };
        const told = { schedule_id: schedule.id, job_id: schedule.jobId, nominal_at: toTimestamp(nominalAtMs) };
        log.warn({ ...told, problem: slug }, `a schedule could not start its run: ${error.message}`);
        await store.db.transact((tx) => store.schedules.settle(tx, schedule.id, nominalAtMs, lastError));
        return { outcome: 'settled', state: { settledAtMs: nominalAtMs, lastError } };
      }
    },
  };
}
