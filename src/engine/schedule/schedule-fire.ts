// Starts the run of a schedule for one nominal time, in the same transaction that marks this time as dealt with.

import type { Catalog } from '../../catalog/catalog.ts';
import type { ScheduleHeartbeat } from '../../domain/notification.ts';
import { Problem, problemType } from '../../domain/problem.ts';
import type { FireError, Schedule, ScheduleState } from '../../domain/schedule.ts';
import { type Clock, toTimestamp } from '../../lib/clock.ts';
import { createId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Store } from '../../store/open.ts';
import { limitsOf } from '../bindings.ts';
import type { Caller, CreateRun } from '../create.ts';
import { refusedWords } from './missed-words.ts';

export type FireParts = {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Logger;
  readonly createRun: CreateRun;
  /** Called when a time that started no run has been stored. */
  readonly onMissed: () => void;
};

/** What happened to the nominal time. `kept`: it may be tried again. `gone`: the schedule no longer exists. */
type Fired = { readonly outcome: 'settled' | 'kept' | 'gone'; readonly state: Partial<ScheduleState> };

/** Temporary problems: a full queue, a disk that cannot be written, sources that are still being read. */
const passing: ReadonlySet<string> = new Set(['queue-full', 'not-ready', 'execution-error']);

export async function fireSchedule(
  schedule: Schedule,
  nominalAtMs: number,
  isLastTry: () => boolean,
  o: FireParts,
): Promise<Fired> {
  const { store, clock, log } = o;
  const { id, jobId } = schedule;
  try {
    return { outcome: 'settled', state: await startRun(schedule, nominalAtMs, o) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { slug, message: detail } = error;
    // According to the database, this time or a later one has been dealt with.
    if (slug === 'idempotency-conflict') {
      await store.db.transact((tx) => store.schedules.settle(tx, id, nominalAtMs, null));
      const state = (await store.schedules.states()).get(id);
      return state ? { outcome: 'settled', state } : { outcome: 'gone', state: {} };
    }
    const lastError: FireError = { nominalAtMs, atMs: clock.now(), type: problemType(slug), detail };
    if (passing.has(slug) && !isLastTry()) return { outcome: 'kept', state: { lastError } };
    const told = { schedule_id: id, job_id: jobId, nominal_at: toTimestamp(nominalAtMs), problem: slug };
    log.warn(told, `a schedule could not start its run: ${detail}`);
    const words = refusedWords(schedule, nominalAtMs, detail);
    await settleMissed(schedule, nominalAtMs, { ...o, lastError, detail: words });
    return { outcome: 'settled', state: { settledAtMs: nominalAtMs, lastError } };
  }
}

async function startRun(schedule: Schedule, nominalAtMs: number, o: FireParts): Promise<Partial<ScheduleState>> {
  const { id, jobId, tenant, args } = schedule;
  const { schedules } = o.store;
  const atMs = o.clock.now();
  const nominalAt = toTimestamp(nominalAtMs);
  const labels = { ...schedule.labels, schedule_id: id, nominal_at: nominalAt };
  const caller: Caller = {
    principal: {
      kind: 'schedule',
      name: `schedule:${id}`,
      scopes: ['runs:write'],
      tenant,
      ...(await limitsOf(schedule.boundTo, o)),
    },
    trigger: 'schedule',
    heartbeat: heartbeatOf(schedule),
    requestId: createId('req', atMs),
  };
  const request = { job_id: jobId, args, tenant, labels };
  const { runId } = await o.createRun(request, caller, undefined, async (tx, newId) => {
    if (await schedules.fire(tx, id, { nominalAtMs, atMs, runId: newId })) return;
    throw new Problem('idempotency-conflict', `The schedule '${id}' has already dealt with ${nominalAt}.`);
  });
  o.log.info({ schedule_id: id, job_id: jobId, run_id: runId, nominal_at: nominalAt }, 'a schedule fired');
  return { settledAtMs: nominalAtMs, lastFire: { nominalAtMs, atMs, runId }, lastError: null };
}

export function heartbeatOf({ id, heartbeat }: Schedule): ScheduleHeartbeat | undefined {
  return heartbeat === undefined ? undefined : { scheduleId: id, to: heartbeat };
}

/** Marks a nominal time that starts no run as dealt with, and records that it was missed. */
export async function settleMissed(
  { id, jobId, tenant }: Schedule,
  nominalAtMs: number,
  o: Pick<FireParts, 'store' | 'clock' | 'onMissed'> & {
    readonly lastError: FireError | null;
    readonly detail: string;
  },
): Promise<void> {
  const { store, detail } = o;
  const missed = { tenant, jobId, kind: 'missed', runId: null, scheduleId: id, detail } as const;
  await store.db.transact(async (tx) => {
    await store.schedules.settle(tx, id, nominalAtMs, o.lastError);
    await store.late.add(tx, { ...missed, key: `${id} ${toTimestamp(nominalAtMs)}`, atMs: o.clock.now() });
  });
  o.onMissed();
}
