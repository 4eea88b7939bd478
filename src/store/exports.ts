// Remembers how far the journal was exported to a collector, and reads the data for spans (ADR 0072, ADR 0081).

import type { RunStatus, StepKind, StepStatus, Trigger } from '../domain/run.ts';
import type { Trace } from '../domain/trigger/trace.ts';
import type { Database, Transaction } from './database.ts';
import { prepareQuery } from './prepared-query.ts';
import { type RunDetails, traceOfRow } from './run/run-rows.ts';

/** What a collector receives: the spans of runs, or the lines of their logs. OTLP has a separate address for each. */
export type Signal = 'traces' | 'logs';

/** How far an export has come. `error` says why the last attempt failed; null if it succeeded. */
export type ExportState = {
  readonly nextId: number;
  readonly sentAtMs: number | null;
  readonly failedAtMs: number | null;
  readonly error: string | null;
};

export type TracedRun = {
  readonly eventId: number;
  readonly runId: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly status: RunStatus;
  readonly reason: string | null;
  readonly createdAtMs: number;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number;
  readonly exitCode: number | null;
  readonly trigger: Trigger['type'];
  readonly revision: string;
  readonly trace: Trace;
  /** The run that this one repeats or follows, if that run still exists. */
  readonly before: { readonly runId: string; readonly traceId: string } | null;
};

export type TracedAttempt = {
  readonly stepId: string;
  readonly attempt: number;
  readonly kind: StepKind;
  readonly instanceOf: string | null;
  readonly status: StepStatus;
  readonly reason: string | null;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  readonly exitCode: number | null;
};

export type ExportStore = ReturnType<typeof createExportStore>;

/** How many runs one query reads. The next query reads the others. */
const runsAtOnce = 100;

const selectEnded = prepareQuery((db, { fromId, toId }: { fromId: number; toId: number }) =>
  db
    .selectFrom('events')
    .innerJoin('runs', 'runs.id', 'events.run_id')
    .select([
      'events.id as event_id',
      'runs.id',
      'runs.job_id',
      'runs.tenant',
      'runs.status',
      'runs.reason',
      'runs.created_at',
      'runs.started_at',
      'runs.finished_at',
      'runs.exit_code',
      'runs.trigger',
      'runs.details',
    ])
    .where('events.id', '>=', fromId)
    .where('events.id', '<=', toId)
    .where('events.type', '=', 'run.finished')
    .orderBy('events.id')
    .limit(runsAtOnce),
);

const selectAttempts = prepareQuery((db, { runId }: { runId: string }) =>
  db
    .selectFrom('steps')
    .select(['step_id', 'attempt', 'kind', 'instance_of', 'status', 'reason'])
    .select(['started_at', 'finished_at', 'exit_code'])
    .where('run_id', '=', runId)
    .orderBy('n')
    .orderBy('attempt'),
);

export function createExportStore({ read }: Database) {
  async function traceIds(runIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (runIds.length === 0) return new Map();
    const rows = await read.selectFrom('runs').select(['id', 'details']).where('id', 'in', runIds).execute();
    return new Map(rows.map((row) => [row.id, traceOfRow(row.id, JSON.parse(row.details)).trace_id]));
  }

  return {
    /** Returns the trace ids of the runs. Runs that were removed are not in the map. */
    traceIds,
    /** Returns undefined if nothing was exported yet. */
    async state(signal: Signal): Promise<ExportState | undefined> {
      const row = await read.selectFrom('instance').select('value').where('name', '=', signal).executeTakeFirst();
      return row && JSON.parse(row.value);
    },

    async setState({ db }: Transaction, signal: Signal, state: ExportState): Promise<void> {
      const value = JSON.stringify(state);
      await db
        .insertInto('instance')
        .values({ name: signal, value })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
        .execute();
    },

    /**
     * Returns the runs that ended in these events, in the order of the journal, and at most a hundred. Runs that were
     * removed are left out.
     */
    async ended(range: { readonly fromId: number; readonly toId: number }): Promise<readonly TracedRun[]> {
      const rows = await selectEnded(read, range);
      if (rows.length === 0) return [];
      const found = rows.map((row) => {
        const details: RunDetails = JSON.parse(row.details);
        return { row, details };
      });
      const ofOthers = await traceIds(found.flatMap(({ details }) => runBefore(details) ?? []));
      return found.map(({ row, details }): TracedRun => {
        const before = runBefore(details);
        const traceId = before === null ? undefined : ofOthers.get(before);
        return {
          eventId: row.event_id,
          runId: row.id,
          jobId: row.job_id,
          tenant: row.tenant,
          status: row.status,
          reason: row.reason,
          createdAtMs: row.created_at,
          startedAtMs: row.started_at,
          finishedAtMs: row.finished_at ?? row.created_at,
          exitCode: row.exit_code,
          trigger: row.trigger,
          revision: details.source.revision,
          trace: traceOfRow(row.id, details),
          before: before === null || traceId === undefined ? null : { runId: before, traceId },
        };
      });
    },

    /** Returns the attempts of a run, sorted by step and attempt. */
    async attempts(runId: string): Promise<readonly TracedAttempt[]> {
      const rows = await selectAttempts(read, { runId });
      return rows.map((row) => ({
        stepId: row.step_id,
        attempt: row.attempt,
        kind: row.kind,
        instanceOf: row.instance_of,
        status: row.status,
        reason: row.reason,
        startedAtMs: row.started_at,
        finishedAtMs: row.finished_at,
        exitCode: row.exit_code,
      }));
    },
  };
}

function runBefore({ rerun_of: rerunOf, trigger }: RunDetails): string | null {
  return rerunOf ?? trigger?.run_id ?? null;
}
