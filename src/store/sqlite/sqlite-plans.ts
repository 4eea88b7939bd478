// Gives SQLite's planner fixed statistics. Without statistics, a list by job and tenant may read all runs of the
// tenant. With measured statistics, the planner could one day choose a plan that the tests have never seen
// (https://sqlite.org/queryplanner-ng.html).

import type { DatabaseSync } from 'node:sqlite';

/**
 * For each index: the rows in the table, then the rows for each value of its first column, of its first two columns,
 * and so on.
 */
const statistics: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  runs: {
    sqlite_autoindex_runs_1: '1000000 1',
    runs_by_age: '1000000 1 1',
    runs_by_job: '1000000 2000 1 1 1',
    runs_by_job_and_status: '1000000 2000 500 1 1 1',
    runs_by_status: '1000000 100000 1 1 1',
    runs_by_tenant: '1000000 300000 1 1 1',
    runs_by_tenant_and_job: '1000000 300000 400 1 1 1',
    runs_by_tenant_and_status: '1000000 300000 30000 1 1 1',
    runs_by_source: '1000000 400000 1 1',
    runs_by_end: '1000000 1 1',
    runs_by_creator: '1000000 20000 1 1 1',
    runs_by_trigger: '1000000 150000 1 1 1',
  },
  run_labels: {
    sqlite_autoindex_run_labels_1: '1000000 2 1',
    run_labels_by_job: '1000000 2000 200 1 1 1 1 1 1',
    run_labels_by_key: '1000000 300000 1 1 1 1 1',
    run_labels_by_value: '1000000 300000 1000 1 1 1 1 1',
    run_labels_by_tenant_and_key: '1000000 300000 100000 1 1 1 1 1',
    run_labels_by_tenant_and_value: '1000000 300000 100000 500 1 1 1 1 1',
  },
  run_hours: {
    run_hours: '500000 1000 30 5 2 1',
  },
  run_days: {
    run_days: '30000 60 30 5 2 1',
  },
  run_label_counts: {
    run_label_counts: '50000 500 200 1 1 1',
  },
  events: {
    events_by_run: '5000000 5 1',
  },
  artifacts: {
    sqlite_autoindex_artifacts_1: '1000000 1',
    artifacts_by_age: '1000000 1 1',
    artifacts_by_run: '1000000 2 1 1',
    artifacts_by_tenant: '1000000 300000 1 1',
    artifacts_by_tenant_and_job: '1000000 300000 1000 1 1',
    artifacts_by_tenant_and_name: '1000000 300000 5000 1 1',
    artifacts_by_job: '1000000 2000 1 1',
    artifacts_by_name: '1000000 10000 1 1',
    artifacts_by_expiry: '1000000 10 1',
    artifacts_by_tenant_and_expiry: '1000000 300000 5 1',
  },
};

export function fixPlans(connection: DatabaseSync): void {
  // The first ANALYZE creates the table of statistics. The second makes this connection read it.
  connection.exec('ANALYZE sqlite_schema; DELETE FROM sqlite_stat1');
  const rows = Object.entries(statistics).flatMap(([table, indices]) =>
    Object.entries(indices).map(([index, counts]) => `('${table}', '${index}', '${counts}')`),
  );
  connection.exec(`INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ${rows.join(', ')}`);
  connection.exec('ANALYZE sqlite_schema');
}
