// Reads what a caller may see. Objects of other tenants, and of jobs that the caller may not see, look as if they did
// not exist (ADR 0015, ADR 0067). Handlers can use only this interface, and not the store itself.

import type { JobTimes } from '../domain/job-times.ts';
import type { Notification } from '../domain/notification.ts';
import type { Late } from '../domain/outcome/late.ts';
import { type Reach, reaches, reachesJob, reachesTenant } from '../domain/principal.ts';
import { Problem } from '../domain/problem.ts';
import type { ChildRun, LastRun, Run, RunStatus, RunSummary, Step } from '../domain/run.ts';
import type { Artifact, ArtifactListQuery, ArtifactPage } from './blobs/artifacts.ts';
import { parseCursor } from './cursor.ts';
import type { FailureQuery, FailureStore } from './failures.ts';
import type { LateQuery, LateStore } from './late.ts';
import type { LogFilter, LogForm, LogStore } from './log/logs.ts';
import type { LogSearchPage, LogSearchQuery } from './log/search/search-logs.ts';
import type { Store } from './open.ts';
import type { ApprovalPage, ApprovalQuery } from './run/approvals.ts';
import type { JobTimesQuery } from './run/job-times.ts';
import type { RunListQuery, RunPage } from './run/run-list.ts';
import { type RunStore, runNotFound } from './run/runs.ts';
import { noTimes, type StatsFilter, type StatsStore, type StatsWindow } from './stats/stats.ts';

/** The log of a run that the caller may read. */
export type ReadableLog = {
  readonly runId: string;
  readonly page: (query: Parameters<LogStore['page']>[1]) => ReturnType<LogStore['page']>;
  readonly pieces: (form: LogForm, filter: LogFilter) => ReturnType<LogStore['pieces']>;
  readonly next: (afterSeq: number) => ReturnType<LogStore['next']>;
  readonly onAppend: (listener: () => void) => () => void;
  /** Returns the status of the run; undefined if the run no longer exists. */
  readonly status: () => Promise<RunStatus | undefined>;
};

/**
 * Reads runs. A function with the parameter `id` throws the Problem run-not-found if the run does not exist or the
 * caller may not see it.
 */
export type RunReading = ReturnType<typeof createRunReading>;

export type ArtifactReading = ReturnType<typeof createArtifactReading>;

export type StatsReading = ReturnType<typeof createStatsReading>;

export function createReading(
  store: Pick<Store, 'runs' | 'notifications' | 'logs' | 'failures' | 'late' | 'artifacts' | 'stats'>,
) {
  const limitTo = createLimit(store.stats);
  return {
    runs: createRunReading(store, limitTo),
    artifacts: createArtifactReading(store, limitTo),
    stats: createStatsReading(store, limitTo),
  };
}

/** Reads the statistics of runs that a filter selects and the caller may see. */
function createStatsReading({ stats }: Pick<Store, 'stats'>, limitTo: LimitTo) {
  return (filter: StatsFilter, reach: Reach) => {
    const limited = limitTo(filter, reach);
    return {
      async counts(window: StatsWindow): ReturnType<StatsStore['counts']> {
        const of = await limited;
        return of ? stats.counts(of, window) : [];
      },
      async times(window: StatsWindow): ReturnType<StatsStore['times']> {
        const of = await limited;
        return of ? stats.times(of, window) : { whole: noTimes, spans: [] };
      },
      async groups(by: 'job_id' | 'tenant', window: StatsWindow): ReturnType<StatsStore['groups']> {
        const of = await limited;
        return of ? stats.groups(by, of, window) : [];
      },
      async jobs(o: Omit<Parameters<StatsStore['jobs']>[0], 'tenant'>): ReturnType<StatsStore['jobs']> {
        const of = await limited;
        if (!of) return [];
        const all = of.jobId === undefined ? of.jobIds : [of.jobId];
        const jobIds = o.jobIds?.filter((id) => reachesJob(reach, id)) ?? all;
        return stats.jobs({ ...o, jobIds, tenant: of.tenant });
      },
    };
  };
}

function createRunReading(
  { runs, notifications, logs, failures, late }: Pick<Store, 'runs' | 'notifications' | 'logs' | 'failures' | 'late'>,
  limitTo: LimitTo,
) {
  return {
    /** @throws Problem validation-error for a malformed cursor */
    async list(query: RunListQuery, reach: Reach): Promise<RunPage> {
      const limited = await limitTo(query, reach);
      if (limited) return runs.list(limited);
      if (query.cursor !== undefined) parseCursor(query.cursor);
      return { runs: [], total: 0, isTotalExact: true, nextCursor: null };
    },
    async approvals(query: ApprovalQuery, reach: Reach): Promise<ApprovalPage> {
      const limited = await limitTo(query, reach);
      return limited ? runs.approvals(limited) : { approvals: [], total: 0, isTotalExact: true };
    },
    ...createJobReading(runs),
    /** While this value stays the same, the same question by the same caller has the same answer (ADR 0025). */
    generation: runs.generation,
    async summary(id: string, reach: Reach): Promise<RunSummary> {
      await runs.assertThere(id, reach);
      const summary = await runs.summary(id);
      if (!summary) throw runNotFound(id);
      return summary;
    },
    /** Returns the version of a run. It grows with every change of what `get` returns. */
    version: (id: string, reach: Reach) => runs.assertThere(id, reach),
    async get(id: string, reach: Reach): Promise<Run> {
      const run = await runs.get(id);
      if (!run || !reaches(reach, { tenant: run.tenant, jobId: run.job_id })) throw runNotFound(id);
      return run;
    },
    async attempts(id: string, reach: Reach): Promise<readonly Step[]> {
      await runs.assertThere(id, reach);
      return runs.attempts(id);
    },
    async children(id: string, reach: Reach): Promise<readonly ChildRun[]> {
      await runs.assertThere(id, reach);
      return (await runs.children(id)).filter(({ job_id: jobId }) => reachesJob(reach, jobId));
    },
    async notifications(id: string, reach: Reach): Promise<readonly Notification[]> {
      await runs.assertThere(id, reach);
      return notifications.list(id);
    },
    async log(id: string, reach: Reach): Promise<ReadableLog> {
      await runs.assertThere(id, reach);
      return {
        runId: id,
        page: (query) => logs.page(id, query),
        pieces: (form, filter) => logs.pieces(id, form, filter),
        next: (afterSeq) => logs.next(id, afterSeq),
        onAppend: (listener) => logs.onAppend(id, listener),
        status: async () => (await runs.summary(id))?.status,
      };
    },
    /** Lists late runs and successes, newest first. */
    late: (query: LateQuery, reach: Reach): ReturnType<LateStore['list']> => lateInReach(late, query, reach),
    /**
     * Lists groups of failures, sorted by the time of their last failure, newest first.
     * @throws Problem validation-error for a malformed cursor
     */
    async failures(query: FailureQuery, reach: Reach): ReturnType<FailureStore['list']> {
      const limited = await limitTo(query, reach);
      return limited ? failures.list(limited) : { failures: [], nextCursor: null };
    },
    /**
     * Searches the logs of all runs that the caller may see.
     * @throws Problem validation-error for a malformed cursor
     */
    async searchLogs(query: LogSearchQuery, reach: Reach): Promise<LogSearchPage> {
      const limited = await limitTo(query, reach);
      return limited ? logs.search(limited) : nothingFound;
    },
    async counts(reach: Reach): Promise<{ readonly pending: number; readonly running: number }> {
      const limited = await limitTo({}, reach);
      return limited ? runs.counts(limited) : { pending: 0, running: 0 };
    },
  };
}

/** Reads how the last runs of a job went. */
function createJobReading(runs: RunStore) {
  return {
    /** Returns the last runs of each job that the caller may see, newest first. */
    last(ids: readonly string[], most: number, reach: Reach): Promise<ReadonlyMap<string, readonly LastRun[]>> {
      const jobIds = ids.filter((id) => reachesJob(reach, id));
      return runs.last({ jobIds, most, ...tenantOf(reach) });
    },
    /**
     * Returns the revisions that the last runs of the job used, newest first. Only runs that the caller may see count.
     */
    usedRevisions: async (jobId: string, most: number, reach: Reach): ReturnType<RunStore['usedRevisions']> =>
      reachesJob(reach, jobId) ? runs.usedRevisions({ jobId, most, ...tenantOf(reach) }) : [],
    /** Returns how long the last runs of a job took. Only runs that the caller may see count. */
    times: async (query: Omit<JobTimesQuery, 'tenant'>, reach: Reach): Promise<JobTimes> =>
      reachesJob(reach, query.jobId)
        ? runs.times({ ...query, ...tenantOf(reach) })
        : { runs: [], steps: [], more: false },
  };
}

/** If a caller may see only some jobs, this many late entries are read and then filtered. */
const mostLate = 1_000;

async function lateInReach(late: LateStore, query: LateQuery, reach: Reach): Promise<readonly Late[]> {
  if (query.tenant !== undefined && !reachesTenant(reach, query.tenant)) return [];
  // Reads the entries of all jobs and then filters them. A query for the jobs that have runs would miss a job that has
  // never run, and that job may be late, too.
  const limit = reach.jobs ? mostLate : query.limit;
  const found = await late.list({ ...query, ...(query.tenant === undefined && tenantOf(reach)), limit });
  return found.filter(({ jobId }) => reachesJob(reach, jobId)).slice(0, query.limit);
}

const nothingFound: LogSearchPage = {
  hits: [],
  nextCursor: null,
  fromMs: null,
  segments: 0,
  bytes: 0,
  unreadable: 0,
};

function createArtifactReading({ artifacts }: Pick<Store, 'artifacts'>, limitTo: LimitTo) {
  return {
    /** @throws Problem validation-error for a malformed cursor */
    async list(query: ArtifactListQuery, reach: Reach): Promise<ArtifactPage> {
      const limited = await limitTo(query, reach);
      if (limited) return artifacts.list(limited);
      if (query.cursor !== undefined) parseCursor(query.cursor);
      return { artifacts: [], total: 0, nextCursor: null };
    },
    /** @throws Problem artifact-not-found */
    async get(id: string, reach: Reach): Promise<Artifact & { readonly gone: boolean }> {
      const artifact = await artifacts.get(id, tenantOf(reach).tenant);
      if (artifact && reachesJob(reach, artifact.job_id)) return artifact;
      throw new Problem('artifact-not-found', `The artifact '${id}' does not exist`);
    },
    openRead: artifacts.openRead,
  };
}

type LimitedBy = {
  readonly tenant?: string | undefined;
  readonly jobId?: string | undefined;
  readonly jobIds?: readonly string[] | undefined;
};

/**
 * Restricts a query to what the caller may see. Returns undefined if the caller may see nothing that the query asks
 * for.
 */
type LimitTo = <Query extends LimitedBy>(query: Query, reach: Reach) => Promise<Query | undefined>;

function createLimit(stats: Pick<StatsStore, 'jobIds'>): LimitTo {
  return async (query, reach) => {
    if (query.tenant !== undefined && !reachesTenant(reach, query.tenant)) return undefined;
    const limited = { ...query, ...(query.tenant === undefined && tenantOf(reach)) };
    if (!reach.jobs) return limited;
    if (query.jobId !== undefined) return reachesJob(reach, query.jobId) ? limited : undefined;
    const jobIds = (await stats.jobIds(limited.tenant)).filter(reach.jobs.has);
    const [jobId] = jobIds;
    if (jobId === undefined) return undefined;
    return { ...limited, ...(jobIds.length === 1 ? { jobId } : { jobIds }) };
  };
}

/** Returns an empty object if the caller sees every tenant. */
function tenantOf({ tenant }: Reach): { readonly tenant?: string } {
  return tenant === '*' ? {} : { tenant };
}
