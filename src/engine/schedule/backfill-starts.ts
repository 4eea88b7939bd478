// Starts the runs of a backfill, each in the transaction that marks its time as dealt with (ADR 0076).

import { Problem, problemType } from '../../domain/problem.ts';
import { backfillLabel, type Schedule } from '../../domain/schedule.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { createId } from '../../lib/ids.ts';
import type { OpenBackfill } from '../../store/schedule/backfills.ts';
import { limitsOf } from '../bindings.ts';
import type { Caller } from '../create.ts';
import type { FireParts } from './schedule-fire.ts';
import type { Pauses } from './schedule-pauses.ts';

export type BackfillParts = FireParts & {
  readonly signal: AbortSignal;
  readonly pauses: Pick<Pauses, 'isPaused'>;
  /** The schedule, if it exists and may start runs. @throws Problem that says why not */
  readonly scheduleOf: (id: string) => Promise<Schedule>;
};

/** `waits`: something must change before the next run can start. `rests`: a run of the backfill must end first. */
type Progress = 'waits' | 'rests' | 'ended';

/** Temporary problems: a full queue, a run of the job that is in the way, a disk that cannot be written. */
const passing: ReadonlySet<string> = new Set(['queue-full', 'concurrency-conflict', 'not-ready', 'execution-error']);

/** Starts runs until the number of unfinished runs reaches the limit. */
export async function proceed(backfill: OpenBackfill, o: BackfillParts): Promise<Progress> {
  const { id, times, atOnce } = backfill;
  let unfinished = await o.store.backfills.unfinishedRuns(id);
  for (let { cursor } = backfill; !o.signal.aborted; cursor += 1) {
    const nominalAtMs = times[cursor];
    if (nominalAtMs === undefined) return unfinished > 0 ? 'rests' : finish(backfill, o);
    if (unfinished >= atOnce) return 'rests';
    const step = await handleTime({ ...backfill, cursor }, nominalAtMs, o);
    if (step === 'waits' || step === 'ended') return step;
    if (step === 'started') unfinished += 1;
  }
  return 'waits';
}

async function handleTime(backfill: OpenBackfill, nominalAtMs: number, o: BackfillParts) {
  const { store } = o;
  if (o.pauses.isPaused(backfill.tenant)) return 'waits';
  try {
    const isThere = (await store.schedules.withRun(backfill.scheduleId, [nominalAtMs])).size > 0;
    if (!isThere) {
      await startRun(backfill, await o.scheduleOf(backfill.scheduleId), nominalAtMs, o);
      return 'started';
    }
    const isLeftOut = await store.db.transact((tx) => store.backfills.advance(tx, backfill, 'left-out'));
    return isLeftOut ? 'left-out' : 'waits';
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    // The backfill was cancelled or paused, or a run was started for this time. The next check finds out which.
    if (error.slug === 'idempotency-conflict') return 'waits';
    const fields = { backfill_id: backfill.id, job_id: backfill.jobId, nominal_at: toTimestamp(nominalAtMs) };
    if (passing.has(error.slug)) {
      o.log.debug({ ...fields, problem: error.slug }, `a backfill waits to start its next run: ${error.message}`);
      return 'waits';
    }
    o.log.warn({ ...fields, problem: error.slug }, `a backfill has failed: ${error.message}`);
    const detail = `No run could be started for ${toTimestamp(nominalAtMs)}: ${error.message}`;
    const failure = { type: problemType(error.slug), detail };
    const end = { status: 'failed', atMs: o.clock.now(), failedRuns: null, error: failure } as const;
    await store.db.transact((tx) => store.backfills.end(tx, backfill.id, end));
    return 'ended';
  }
}

/** @throws Problem idempotency-conflict when the time may not get a run from this backfill now */
async function startRun(backfill: OpenBackfill, schedule: Schedule, nominalAtMs: number, o: BackfillParts) {
  const { store, clock } = o;
  const { id: scheduleId, jobId, tenant, args } = schedule;
  const atMs = clock.now();
  const nominalAt = toTimestamp(nominalAtMs);
  const labels = { ...schedule.labels, schedule_id: scheduleId, nominal_at: nominalAt, [backfillLabel]: backfill.id };
  const caller: Caller = {
    principal: {
      kind: 'schedule',
      name: `schedule:${scheduleId}`,
      scopes: ['runs:write'],
      tenant,
      madeBy: backfill.account,
      ...(await limitsOf(backfill.boundTo ?? schedule.boundTo, o)),
    },
    trigger: 'backfill',
    requestId: createId('req', atMs),
  };
  const { runId } = await o.createRun({ job_id: jobId, args, tenant, labels }, caller, undefined, async (tx, newId) => {
    const mayStart = await store.backfills.advance(tx, backfill, 'started');
    if (mayStart && (await store.schedules.backfill(tx, scheduleId, { nominalAtMs, atMs, runId: newId }))) return;
    throw new Problem('idempotency-conflict', `The backfill '${backfill.id}' starts no run for ${nominalAt} now.`);
  });
  const fields = { backfill_id: backfill.id, job_id: jobId, run_id: runId, nominal_at: nominalAt };
  o.log.info(fields, 'a backfill started a run');
}

async function finish({ id, jobId }: OpenBackfill, { store, clock, log }: BackfillParts): Promise<'ended'> {
  const failedRuns = await store.backfills.failedRuns(id);
  const end = { status: 'done', atMs: clock.now(), failedRuns, error: null } as const;
  await store.db.transact((tx) => store.backfills.end(tx, id, end));
  log.info({ backfill_id: id, job_id: jobId, failed_runs: failedRuns }, 'a backfill is done');
  return 'ended';
}
