// Previews, makes, lists and cancels backfills for the server. A loop starts their runs.

import {
  bindingOf,
  type Principal,
  type Reach,
  reaches,
  reachesJob,
  reachesTenant,
  starterOf,
} from '../../domain/principal.ts';
import { Problem, validationError } from '../../domain/problem.ts';
import type { Backfill, Schedule } from '../../domain/schedule.ts';
import { createId } from '../../lib/ids.ts';
import { createWakeSignal } from '../../lib/wake-signal.ts';
import type { OpenBackfill } from '../../store/schedule/backfills.ts';
import { isStorageError } from '../../store/storage-error.ts';
import type { Hub } from '../hub.ts';
import { type BackfillRequest, type BackfillTimes, findBackfillTimes } from './backfill-request.ts';
import { proceed } from './backfill-starts.ts';
import type { FireParts } from './schedule-fire.ts';
import type { ScheduleList } from './schedule-list.ts';

export type BackfillView = {
  readonly backfill: Backfill;
  /** True if the backfill starts nothing now, because all schedules of its tenant are paused. */
  readonly isPaused: boolean;
};

type BackfillPreview = BackfillTimes & { readonly schedule: Schedule };

type BackfillQuery = {
  readonly tenant: string | undefined;
  readonly jobId: string | undefined;
  readonly scheduleId: string | undefined;
  readonly status: Backfill['status'] | undefined;
  readonly after: { readonly createdAtMs: number; readonly id: string } | undefined;
  readonly offset: number;
  readonly limit: number;
};

type BackfillPage = {
  readonly backfills: readonly BackfillView[];
  readonly total: number;
  readonly hasMore: boolean;
};

export type Backfills = {
  /** What `create` would start. Stores nothing. @throws like `create` */
  readonly preview: (scheduleId: string, request: BackfillRequest, principal: Principal) => Promise<BackfillPreview>;
  /**
   * @throws Problem not-ready, schedule-not-found, permission-denied, source-untrusted, job-invalid, validation-error
   */
  readonly create: (
    scheduleId: string,
    request: BackfillRequest & { readonly atOnce: number },
    principal: Principal,
  ) => Promise<BackfillView>;
  /** Newest first. */
  readonly list: (query: BackfillQuery, reach: Reach) => Promise<BackfillPage>;
  /** @throws Problem backfill-not-found */
  readonly get: (id: string, reach: Reach) => Promise<BackfillView>;
  /** The backfill starts no more runs. The runs that it has started continue. @throws Problem backfill-not-found */
  readonly cancel: (id: string, reach: Reach) => Promise<BackfillView>;
};

type Parts = FireParts & {
  readonly hub: Pick<Hub, 'onEvents'>;
  readonly scheduleList: ScheduleList;
  /** Runs `work` after the schedules have been updated from the catalog. @throws Problem not-ready */
  readonly onScheduleList: <T>(work: () => T | Promise<T>) => Promise<T>;
  /** @throws Problem schedule-not-found */
  readonly find: (id: string, reach: Reach) => Schedule;
};

/** How many backfills of a tenant may be under way at once. */
const mostOfTenant = 20;
const lookAgainMs = 2_000;
const nothing: BackfillPage = { backfills: [], total: 0, hasMore: false };

export function createBackfills(o: Parts) {
  const { store, clock, scheduleList } = o;
  const loop = createLoop(o);
  const view = (backfill: Backfill): BackfillView => ({
    backfill,
    isPaused: backfill.status === 'running' && scheduleList.pauses.isPaused(backfill.tenant),
  });

  async function find(id: string, reach: Reach): Promise<Backfill> {
    const backfill = await store.backfills.find(id);
    if (backfill && reaches(reach, backfill)) return backfill;
    throw new Problem('backfill-not-found', `The backfill '${id}' does not exist`);
  }

  async function preview(scheduleId: string, request: BackfillRequest, principal: Principal) {
    const schedule = await o.onScheduleList(() => o.find(scheduleId, principal));
    return { schedule, ...(await findBackfillTimes(schedule, request, principal, o)) };
  }

  const acts: Backfills = {
    preview,
    async create(scheduleId, request, principal) {
      const { schedule, ...found } = await preview(scheduleId, request, principal);
      const { tenant } = schedule;
      const backfill = newBackfill(schedule, { ...found, atOnce: request.atOnce }, principal, clock.now());
      await store.db.transact(async (tx) => {
        if (await store.backfills.add(tx, backfill, mostOfTenant)) return;
        const message = `the tenant '${tenant}' has ${mostOfTenant} backfills under way, the most allowed`;
        throw validationError([{ pointer: '', message, keyword: 'maxItems' }]);
      });
      loop.wake();
      return view(backfill);
    },
    async list({ tenant: asked, jobId, limit, ...others }, reach) {
      if (asked !== undefined && !reachesTenant(reach, asked)) return nothing;
      const tenant = asked ?? (reach.tenant === '*' ? undefined : reach.tenant);
      const jobIds = jobId === undefined ? undefined : [jobId];
      const reached =
        reach.jobs && (jobIds ?? (await store.backfills.jobIds(tenant))).filter((one) => reachesJob(reach, one));
      const query = { ...others, tenant, jobIds: reached ?? jobIds, limit: limit + 1 };
      const { backfills, total } = await store.backfills.page(query);
      return { backfills: backfills.slice(0, limit).map(view), total, hasMore: backfills.length > limit };
    },
    get: async (id, reach) => view(await find(id, reach)),
    async cancel(id, reach) {
      await find(id, reach);
      const end = { status: 'cancelled', atMs: clock.now(), failedRuns: null, error: null } as const;
      await store.db.transact((tx) => store.backfills.end(tx, id, end));
      return view(await find(id, reach));
    },
  };
  return { acts, start: loop.start, close: loop.close };
}

function newBackfill(
  { id: scheduleId, jobId, tenant }: Schedule,
  found: BackfillTimes & { readonly atOnce: number },
  by: Principal,
  createdAtMs: number,
): OpenBackfill {
  return {
    ...found,
    id: createId('backfill', createdAtMs),
    scheduleId,
    jobId,
    tenant,
    status: 'running',
    cursor: 0,
    inSpan: found.times.length + found.leftOut,
    started: 0,
    failedRuns: null,
    createdAtMs,
    createdBy: by.name,
    boundTo: bindingOf(by),
    account: starterOf(by).account,
    finishedAtMs: null,
    error: null,
  };
}

/** Checks the backfills under way whenever one of their runs may have ended, until the signal is aborted. */
function createLoop(o: Parts) {
  const { store, log } = o;
  const stopping = new AbortController();
  const { signal } = stopping;
  const wake = createWakeSignal(signal);
  /** The jobs of the backfills under way. */
  let jobs: ReadonlySet<string> = new Set();
  let timer: NodeJS.Timeout | undefined;
  let following: Promise<void> | undefined;
  const parts = {
    ...o,
    signal,
    pauses: o.scheduleList.pauses,
    scheduleOf: (id: string) =>
      o.onScheduleList(() => {
        const schedule = o.scheduleList.find(id);
        if (!schedule) throw new Problem('schedule-not-found', `The schedule '${id}' no longer exists.`);
        const denial = o.scheduleList.tracking.denialOf(schedule);
        if (denial) throw denial;
        return schedule;
      }),
  };

  /** Looks at the backfills once. Returns whether to look again soon. */
  async function look(): Promise<boolean> {
    const open = await store.backfills.open();
    jobs = new Set(open.map(({ jobId }) => jobId));
    let waits = false;
    for (const backfill of open) {
      if (signal.aborted) return false;
      if ((await proceed(backfill, parts)) === 'waits') waits = true;
    }
    return waits;
  }

  async function follow(): Promise<void> {
    const unsubscribe = o.hub.onEvents((entries) => {
      if (entries.some(({ type, jobId }) => type === 'run.finished' && jobs.has(jobId))) wake.raise();
    });
    wake.raise();
    while (!signal.aborted) {
      await wake.raised();
      const waits = !signal.aborted && (await look().catch(logAndRetry));
      clearTimeout(timer);
      if (waits) timer = setTimeout(wake.raise, lookAgainMs);
    }
    unsubscribe();
  }

  /** The store has already logged that it cannot write at present. */
  function logAndRetry(error: unknown): true {
    if (!isStorageError(error)) log.error({ err: error }, 'backfills stopped with an error; flwd tries again');
    return true;
  }

  return {
    wake: wake.raise,
    start: (): void => {
      following ??= follow();
    },
    close: async (): Promise<void> => {
      stopping.abort();
      await following;
      clearTimeout(timer);
    },
  };
}
