// Does what a replaced process may still do: writes with the epoch that it knew. This must not change anything.

import { execFile } from 'node:child_process';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Ledger } from './ledger.ts';

/** An attempt as the process that holds it knows it. */
export type Held = {
  readonly runId: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly stepId: string;
  readonly attempt: number;
  readonly epoch: number;
};

const program = new URL('./programs/stale-writer.ts', import.meta.url).pathname;
const timeoutMs = 2_000;

/** One of the running attempts. */
export function anyHeld(dbPath: string): Held | undefined {
  const [held] = read<Held>(
    dbPath,
    `SELECT run_id AS runId, job_id AS jobId, tenant, step_id AS stepId, steps.attempt, steps.epoch
     FROM steps JOIN runs ON runs.id = run_id
     WHERE steps.status = 'running' AND kind = 'command' ORDER BY steps.started_at DESC LIMIT 1`,
  );
  return held;
}

/** Once the next process has resumed the attempt, the former process tries to end it. */
export async function writeStale(dbPath: string, held: Held, ledger: Ledger): Promise<void> {
  for (const sinceMs = performance.now(); performance.now() - sinceMs < timeoutMs; await delay(20)) {
    const [row] = read<{ epoch: number; finished_at: number | null }>(
      dbPath,
      'SELECT epoch, finished_at FROM steps WHERE run_id = ? AND step_id = ? AND attempt = ?',
      [held.runId, held.stepId, held.attempt],
    );
    if (!row || row.finished_at !== null) return;
    if (row.epoch <= held.epoch) continue;
    const { stdout } = await promisify(execFile)(process.execPath, [program, dbPath, JSON.stringify(held)]);
    const { isChanged }: { isChanged: boolean } = JSON.parse(stdout);
    ledger.staleWrites.push({ runId: held.runId, isChanged });
    return;
  }
}

function read<T>(dbPath: string, sql: string, values: readonly (string | number)[] = []): T[] {
  const database = new DatabaseSync(dbPath, { readOnly: true });
  try {
    return database.prepare(sql).all(...values) as T[];
  } finally {
    database.close();
  }
}
