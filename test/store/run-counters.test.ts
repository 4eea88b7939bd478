// Adds, moves and deletes runs at random with the store's own operations. After each operation, compares every list and
// every total with the runs themselves.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRetentionStore } from '../../src/store/retention.ts';
import type { RunFilter } from '../../src/store/run/run-filter.ts';
import { aRun } from './a-run.ts';
import { engines, nowMs, type Opened } from './engines.ts';
import { moveRun } from './moves.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const jobs = ['backup/daily', 'report'];
const tenants = ['default', 'acme'];
const sources = ['local-fs', 'git'];
const moves = ['claim', 'succeed', 'fail', 'expire', 'withdraw', 'cancel'] as const;
const statuses = ['pending', 'running', 'success', 'failed', 'cancelled'] as const;
/** Whole hours and days, and times just before and after them. */
const instants = [
  ...[-2, -1, 0, 1].map((hours) => nowMs - (nowMs % hourMs) + hours * hourMs),
  ...[-2, -1, 0].map((days) => nowMs - (nowMs % dayMs) + days * dayMs),
].flatMap((at) => [-1, 0, 1, 1_000_000].map((ms) => at + ms));

const anAddition = fc.record({
  jobId: fc.constantFrom(...jobs),
  tenant: fc.constantFrom(...tenants),
  source: fc.constantFrom(...sources).map((name) => ({ name, type: 'fs', revision: 'abc' }) as const),
  labels: fc.constantFrom<Record<string, string>>({}, { env: 'prod' }, { env: 'test', team: 'a=b' }, { env: '' }),
  createdAtMs: fc.constantFrom(...instants),
  isClaimed: fc.boolean(),
});
const aMove = fc.record({ nth: fc.nat(), by: fc.constantFrom(...moves) });
const aRemoval = fc.record({ nths: fc.array(fc.nat(), { maxLength: 4 }) });
// Only one of three operations removes runs, so that they accumulate.
const operations = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.array(anAddition, { minLength: 1, maxLength: 6 }) },
    { weight: 4, arbitrary: aMove },
    { weight: 1, arbitrary: aRemoval },
  ),
  { minLength: 10, maxLength: 40 },
);

/** Every combination of conditions. */
const filters: readonly RunFilter[] = combined(
  [{}, { jobId: 'report' }],
  [{}, ...statuses.map((status) => ({ status }))],
  [{}, { tenant: 'acme' }],
  [{}, { source: 'git' }],
  [
    {},
    { label: { key: 'env' } },
    { label: { key: 'env', value: 'prod' } },
    { label: { key: 'team', value: 'a=b' } },
    { label: { key: 'env', value: '' } },
  ],
  [
    {},
    { sinceMs: nowMs - 1.4 * hourMs },
    { untilMs: nowMs - (nowMs % hourMs) },
    { sinceMs: nowMs - 2.1 * hourMs, untilMs: nowMs + 1 },
    { sinceMs: nowMs - (nowMs % hourMs) + 1, untilMs: nowMs },
    { sinceMs: nowMs - (nowMs % dayMs) - dayMs },
    { sinceMs: nowMs - (nowMs % dayMs) - 1.5 * dayMs },
    { untilMs: nowMs - (nowMs % dayMs) + 1 },
    { sinceMs: nowMs - 2.2 * dayMs, untilMs: nowMs - (nowMs % dayMs) },
    { sinceMs: nowMs - (nowMs % dayMs) - 2 * dayMs, untilMs: nowMs - hourMs },
  ],
);

function combined(...parts: readonly (readonly RunFilter[])[]): RunFilter[] {
  return parts.reduce<RunFilter[]>(
    (all, choices) => all.flatMap((filter) => choices.map((choice) => ({ ...filter, ...choice }))),
    [{}],
  );
}

type Kept = {
  readonly id: string;
  readonly job_id: string;
  readonly status: string;
  readonly tenant: string;
  readonly source: string;
  readonly created_at: number;
  readonly labels: string;
};

function matches(run: Kept, { jobId, status, tenant, source, label, sinceMs, untilMs }: RunFilter): boolean {
  const labels: Record<string, string> = JSON.parse(run.labels);
  return (
    (jobId === undefined || run.job_id === jobId) &&
    (status === undefined || run.status === status) &&
    (tenant === undefined || run.tenant === tenant) &&
    (source === undefined || run.source === source) &&
    (label === undefined || labels[label.key] === (label.value ?? labels[label.key])) &&
    (label === undefined || labels[label.key] !== undefined) &&
    (sinceMs === undefined || run.created_at >= sinceMs) &&
    (untilMs === undefined || run.created_at < untilMs)
  );
}

describe.each(engines)('the counters of runs on $engine', ({ engine, open }) => {
  test('agree with the runs for every filter, after any operations', { timeout: 600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(operations, async (all) => {
        const dir = await mkdtemp(join(tmpdir(), 'flwd-counters-'));
        const store = await open(dir);
        try {
          for (const operation of all) await carryOut(store, operation);
          await agrees(store);
          const runs = await store.database.read.selectFrom('runs').select('id').execute();
          const ids = runs.map(({ id }) => id);
          await endAll(store, ids);
          await agrees(store);
          await createRetentionStore(store.database).removeRuns(ids);
          for (const table of ['run_hours', 'run_days', 'run_label_counts', 'run_labels'] as const) {
            expect(await store.database.read.selectFrom(table).selectAll().execute()).toEqual([]);
          }
        } finally {
          await store.database.close();
          await rm(dir, { recursive: true });
        }
      }),
      { numRuns: engine === 'SQLite' ? 5 : 1 },
    );
  });
});

type Operation = typeof operations extends fc.Arbitrary<readonly (infer One)[]> ? One : never;

async function carryOut({ database, runs }: Opened, operation: Operation): Promise<void> {
  if (Array.isArray(operation)) {
    await database.transact(async (tx) => {
      for (const { isClaimed, ...over } of operation) {
        const claim = { atMs: over.createdAtMs, owner: 'owner-1', worker: 'host-1', deadlineAtMs: null };
        await runs.add(tx, aRun(over), isClaimed ? claim : undefined);
      }
    });
    return;
  }
  const rows = await database.read.selectFrom('runs').select('id').orderBy('id').execute();
  const nth = (n: number): string[] =>
    rows
      .slice(n % Math.max(1, rows.length))
      .slice(0, 1)
      .map(({ id }) => id);
  if ('nths' in operation) {
    await createRetentionStore(database).removeRuns(operation.nths.flatMap(nth));
    return;
  }
  for (const id of nth(operation.nth)) {
    await database.transact((tx) => moveRun(tx, runs, id, operation.by, { atMs: nowMs }));
  }
}

async function endAll({ database, runs }: Opened, ids: readonly string[]): Promise<void> {
  await database.transact(async (tx) => {
    for (const id of ids) {
      for (const by of ['expire', 'cancel'] as const) await moveRun(tx, runs, id, by, { atMs: nowMs });
    }
  });
}

async function agrees({ database, runs }: Opened): Promise<void> {
  const rows = await database.read
    .selectFrom('runs')
    .select(['id', 'job_id', 'status', 'tenant', 'source', 'created_at', 'labels'])
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  // PostgreSQL answers several questions at a time.
  await Promise.all(
    filters.map(async (filter) => {
      const ids = rows.filter((run) => matches(run, filter)).map(({ id }) => id);
      const page = await runs.list({ limit: 200, ...filter });
      const found = { filter, total: page.total, ids: page.runs.map((run) => run.run_id) };
      expect(found).toEqual({ filter, total: ids.length, ids: ids.slice(0, 200) });
    }),
  );
}
