// Collects the evidence at the end of the loop: rows, logs, events as they were shown and as they are stored, and
// processes.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Trigger } from '../../src/domain/run.ts';
import { errorCode } from '../../src/lib/error-code.ts';
import type { ArtifactAnswer, LogAnswer, LogLineAnswer } from '../support/answers.ts';
import { cgroupsLeft } from './cgroups-left.ts';
import type { SeenFrame } from './follower.ts';
import type { Ledger, Order } from './ledger.ts';
import { type Left, leftProcesses } from './processes-left.ts';
import type { Script } from './scripts.ts';

type Row = Readonly<Record<string, string | number | null>>;

export type Evidence = {
  readonly ledger: Ledger;
  readonly scripts: Readonly<Record<string, Script>>;
  readonly runs: readonly RunRow[];
  readonly steps: readonly Row[];
  readonly events: readonly EventRow[];
  readonly counts: readonly Row[];
  /** Counters of ended runs by hour and by label, and the labels whose status differs from that of their run. */
  readonly endedCounts: readonly Row[];
  readonly wrongLabels: readonly Row[];
  readonly integrity: readonly string[];
  /** All lines of each run. */
  readonly logs: ReadonlyMap<string, readonly LogLineAnswer[]>;
  /** The artifacts of each run as `name: text`. */
  readonly artifacts: ReadonlyMap<string, readonly string[]>;
  /** The events that a follower saw over all restarts, and the events that a new follower sees. */
  readonly seen: readonly SeenFrame[];
  readonly replayed: readonly SeenFrame[];
  readonly left: readonly Left[];
  /** The cgroups that runs have left. */
  readonly cgroups: readonly string[];
  /** The content of the folders in `runs/`. */
  readonly runFolders: readonly { readonly runId: string; readonly names: readonly string[] }[];
};

export type RunRow = {
  readonly id: string;
  readonly job_id: string;
  readonly tenant: string;
  readonly source: string;
  readonly status: string;
  readonly reason: string | null;
  readonly created_at: number;
  readonly started_at: number | null;
  readonly finished_at: number | null;
  /** When its last event was stored. Its script may have ended long before, while no server was running. */
  readonly stored_at: number | null;
  readonly termination: string | null;
  readonly args: string;
  readonly result: string | null;
  readonly labels: string;
  readonly trigger: Trigger['type'];
  /** Details of the run as it was requested, as JSON. */
  readonly details: string;
};

export type EventRow = {
  readonly id: number;
  readonly type: string;
  readonly run_id: string;
  readonly first_seq: number | null;
  readonly count: number;
};

export function readDatabase(dbPath: string) {
  const database = new DatabaseSync(dbPath, { readOnly: true });
  const all = <T>(sql: string): T[] => database.prepare(sql).all() as T[];
  try {
    return {
      runs: all<RunRow>(`
        SELECT runs.*, (SELECT max(at) FROM events WHERE run_id = runs.id) AS stored_at
          FROM runs ORDER BY created_at, id`),
      steps: all<Row>('SELECT * FROM steps ORDER BY run_id, step_id, attempt'),
      events: all<EventRow>('SELECT id, type, run_id, first_seq, count FROM events ORDER BY id'),
      counts: all<Row>('SELECT * FROM run_counts WHERE count <> 0'),
      endedCounts: all<Row>(`
        SELECT label || ' ' || hour AS what, tenant, NULL AS job_id, source, status, count FROM run_hours
        UNION ALL SELECT label || ' day ' || day, tenant, NULL, source, status, count FROM run_days
        UNION ALL SELECT label, tenant, job_id, source, status, count FROM run_label_counts
        UNION ALL SELECT 'ended in ' || span || ' ' || at, tenant, job_id, NULL, 'success', success FROM run_stats
        UNION ALL SELECT 'ended in ' || span || ' ' || at, tenant, job_id, NULL, 'failed', failed FROM run_stats
        UNION ALL SELECT 'ended in ' || span || ' ' || at, tenant, job_id, NULL, 'cancelled', cancelled FROM run_stats`),
      wrongLabels: all<Row>(`
        SELECT run_labels.* FROM run_labels INNER JOIN runs ON runs.id = run_id
          WHERE run_labels.status IS NOT iif(runs.finished_at IS NULL, NULL, runs.status)`),
      integrity: [
        ...all<{ integrity_check: string }>('PRAGMA integrity_check').map((row) => row.integrity_check),
        ...all<Row>('PRAGMA foreign_key_check').map((row) => JSON.stringify(row)),
      ].filter((found) => found !== 'ok'),
    };
  } finally {
    database.close();
  }
}

/** How many runs have not ended. */
export function unfinished(dbPath: string): number {
  const database = new DatabaseSync(dbPath, { readOnly: true });
  try {
    const row = database.prepare("SELECT count(*) AS n FROM runs WHERE status IN ('pending', 'running')").get();
    return Number(row?.n);
  } finally {
    database.close();
  }
}

/** Reads as many lines as possible. Missing lines are a breach. */
export async function readLog(url: string, runId: string): Promise<LogLineAnswer[]> {
  const lines: LogLineAnswer[] = [];
  let cursor: string | null = null;
  do {
    const from: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const answer = await fetch(`${url}/api/v1/runs/${runId}/logs?limit=10000${from}`);
    if (!answer.ok) return lines;
    const page = (await answer.json()) as LogAnswer;
    lines.push(...page.logs);
    cursor = page.logs.length === 0 ? null : page.next_cursor;
  } while (cursor !== null);
  return lines;
}

export async function readArtifacts(url: string, runId: string): Promise<string[]> {
  const answer = await fetch(`${url}/api/v1/artifacts?run_id=${runId}`);
  const { artifacts } = (await answer.json()) as { artifacts: ArtifactAnswer[] };
  return Promise.all(
    artifacts.map(async ({ id, name }) => `${name}: ${await (await fetch(`${url}/api/v1/artifacts/${id}`)).text()}`),
  );
}

/** The order for which the run, or its parent run, was made. */
export function orderOf(evidence: Evidence, run: RunRow): Order | undefined {
  const { order }: { order?: string } = JSON.parse(run.labels);
  if (order !== undefined) return evidence.ledger.orders.find(({ name }) => name === order);
  const parent = parentOf(evidence, run);
  return parent && orderOf(evidence, parent);
}

function parentOf({ runs }: Evidence, run: RunRow): RunRow | undefined {
  const { parent }: { parent: { run_id: string } | null } = JSON.parse(run.details);
  return parent === null ? undefined : runs.find(({ id }) => id === parent.run_id);
}

/** Whether the shim of one of the run's attempts, or of a sub-run's, was killed, or the machine lost power. */
export function mayBeLost(evidence: Evidence, run: RunRow): boolean {
  const isHit = livedThroughACut(evidence, run) || evidence.ledger.shimsKilled.has(run.id);
  return isHit || evidence.runs.some((other) => parentOf(evidence, other) === run && mayBeLost(evidence, other));
}

const clearingMs = 3_000;

/**
 * The folders of runs that have ended. A run with steps keeps its workspace for reruns. If the server was killed while
 * it put a run away, retention removes the rest later.
 */
export function foldersLeft({
  ledger,
  runs,
  scripts,
  runFolders,
}: Pick<Evidence, 'ledger' | 'runs' | 'scripts' | 'runFolders'>): string[] {
  return runFolders.flatMap(({ runId, names }) => {
    const run = runs.find(({ id }) => id === runId);
    const endedAtMs = Number(run?.stored_at);
    if (ledger.killedAtMs.some((atMs) => Math.abs(atMs - endedAtMs) < clearingMs)) return [];
    const keeps = run && scripts[run.job_id]?.attempts ? ['workspace'] : [];
    return names.every((name) => keeps.includes(name)) && keeps.length > 0
      ? []
      : [`runs/${runId} holds ${names.join(', ')}`];
  });
}

/** The machine lost power before the end of the run was stored. */
export function livedThroughACut({ ledger }: Evidence, run: RunRow): boolean {
  return ledger.powerCuts.some(({ atMs }) => Number(run.started_at) <= atMs && atMs <= Number(run.stored_at));
}

export function readLeft(root: string, mark: string, ledger: Ledger) {
  return {
    cgroups: cgroupsLeft(join(root, 'data')),
    left: leftProcesses([root, mark], ledger.sandboxes.values()),
    runFolders: readRunFolders(root),
  };
}

export function readRunFolders(root: string): Evidence['runFolders'] {
  const runsDir = join(root, 'data/runs');
  return readdirSync(runsDir).flatMap((runId) => {
    const names = namesIn(join(runsDir, runId));
    return names ? [{ runId, names }] : [];
  });
}

/** undefined when the server has removed it. */
function namesIn(dir: string): string[] | undefined {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
