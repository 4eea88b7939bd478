// Retention on a real store with real runs: it removes what is past its retention, in order, and keeps what is needed.

import { cpSync, existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as yieldNow } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { createRetention } from '../../src/engine/retention/retain.ts';
import { keepReserve } from '../../src/instance/disk-reserve.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { anEntry } from '../store/an-entry.ts';
import { bash } from '../support/jobs.ts';
import { fillDisk } from '../support/small-disk.ts';
import { dataFolder, type Opened, openEngine, testOnSqlite, testOnSqliteWithDisk } from './an-engine.ts';
import { movableClock } from './movable-clock.ts';

const hourMs = 3_600_000;
const asked = { forMs: 60_000, share: 1 };
const jobs = {
  prints: bash('echo one; echo two; echo kept > artifacts/file.txt', { artifacts: { paths: [] } }),
  hold: bash('echo held; sleep 8010'),
  staged: {
    'config.yaml': JSON.stringify({ steps: [{ id: 'one', script: './one.sh' }] }),
    'one.sh': '#!/usr/bin/env bash\necho held; sleep 8011\n',
  },
  stepped: {
    'config.yaml': JSON.stringify({ steps: [{ id: 'one', script: './one.sh' }] }),
    'one.sh': '#!/usr/bin/env bash\necho one\n',
  },
};

async function rowsOf({ store }: Opened): Promise<Record<string, number>> {
  const tables = ['runs', 'run_plans', 'steps', 'run_labels', 'log_segments', 'artifacts', 'expired_logs'] as const;
  const counts = tables.map(async (table) => {
    const row = await store.db.read
      .selectFrom(table)
      .select((eb) => eb.fn.countAll().as('count'))
      .executeTakeFirst();
    return [table, Number(row?.count)] as const;
  });
  return Object.fromEntries(await Promise.all(counts));
}

function filesBelow(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [entry.name] : [],
  );
}

test('an old run is removed with everything that belongs to it, and runs that have not ended stay', async () => {
  const root = dataFolder();
  const first = await openEngine(root, { jobs });
  const old = await first.create('prints', {}, { labels: { team: 'ops' } });
  const running = await first.create('hold');
  await first.finished(old);
  await expect.poll(() => first.messages(running)).toEqual(['held']);
  await first.close();

  const inAYear = Date.now() + 365 * 24 * hourMs;
  const policy = { runsMs: hourMs, logsMs: hourMs, eventsMs: hourMs };
  const opened = await openEngine(root, { policy, nowMs: inAYear });
  const { done, removed } = await opened.retention.collect(asked);
  expect(done).toBe(true);
  expect(removed).toMatchObject({ runs: 1, logs: 1, artifacts: 1 });
  expect(await opened.store.runs.get(old)).toBeUndefined();
  expect(await opened.store.runs.get(running)).toMatchObject({ status: 'running' });
  expect(await opened.store.runs.list({ limit: 10 })).toMatchObject({ total: 1 });
  expect(await opened.store.artifacts.list({ limit: 10 })).toMatchObject({ total: 0, artifacts: [] });
  expect(await opened.messages(running)).toEqual(['held']);
  expect(filesBelow(join(root, 'data', 'logs'))).toEqual([`${running}.1.raw`]);
  expect(filesBelow(join(root, 'data', 'artifacts'))).toEqual([]);
  expect(await rowsOf(opened)).toEqual({
    runs: 1,
    run_plans: 1,
    steps: 1,
    run_labels: 0,
    log_segments: 0,
    artifacts: 0,
    expired_logs: 0,
  });
  await opened.engine.cancel(running, localPrincipal);
});

test.each(['hold', 'staged'])(
  'the output of %s that was announced long ago is not announced again by a restart',
  async (jobId) => {
    const root = dataFolder();
    const first = await openEngine(root, { jobs });
    const running = await first.create(jobId);
    await expect.poll(() => first.messages(running)).toEqual(['held']);
    await expect.poll(() => first.store.journal.lastOutputSeq(running)).toBe(1);
    await first.close();
    const second = await openEngine(root, { policy: { eventsMs: hourMs }, nowMs: Date.now() + 2 * hourMs });
    // All events are removed except the one that says how much of the output was announced.
    expect((await second.retention.collect(asked)).removed.events).toBeGreaterThan(2);
    const before = await second.store.journal.latestId();
    await second.close();

    const third = await openEngine(root);
    await third.engine.cancel(running, localPrincipal);
    const types = (await third.store.journal.read({ afterId: before, runId: running, limit: 100 })).map(
      ({ type }) => type,
    );
    expect(types).toContain('run.finished');
    expect(types.filter((type) => type.endsWith('.output'))).toEqual([]);
  },
);

test('a log is removed before its run, and the run says so', async () => {
  const root = dataFolder();
  const first = await openEngine(root, { jobs });
  const runId = await first.create('prints');
  await first.finished(runId);
  await first.close();

  const opened = await openEngine(root, { policy: { logsMs: hourMs }, nowMs: Date.now() + 2 * hourMs });
  expect((await opened.retention.collect(asked)).removed).toMatchObject({ runs: 0, logs: 1, artifacts: 0 });
  expect(await opened.store.logs.page(runId, { limit: 10 })).toEqual({ lines: [], nextSeq: null, isExpired: true });
  expect(await opened.store.logs.next(runId, 0)).toBeUndefined();
  expect(await opened.store.runs.get(runId)).toMatchObject({ status: 'success' });
});

testOnSqlite('a log that retention removes while it is being read is reported as removed', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('prints');
  await opened.finished(runId);
  await opened.store.logs.removeFiles([runId]);
  const page = opened.store.logs.page(runId, { limit: 10 });
  // Deletes the rows after the reader has read them, and before the quarter of a second that the reader waits is over,
  // however busy the machine is.
  await yieldNow();
  using database = new DatabaseSync(join(root, 'data', 'flwd.db'));
  database.exec('DELETE FROM log_segments');
  expect(await page).toEqual({ lines: [], nextSeq: null, isExpired: true });
  expect(await opened.store.logs.lines(runId, 1, 2)).toEqual([]);
});

test('an artifact expires by the retention of all artifacts as well as by its own', async () => {
  const root = dataFolder();
  const first = await openEngine(root, { jobs });
  const runId = await first.create('prints');
  await first.finished(runId);
  const [artifact] = (await first.store.artifacts.list({ limit: 1 })).artifacts;
  await first.close();

  const opened = await openEngine(root, { policy: { artifactsMs: hourMs }, nowMs: Date.now() + 2 * hourMs });
  await opened.retention.collect(asked);
  await opened.retention.collect(asked);
  expect(await opened.store.artifacts.get(artifact?.id ?? '')).toMatchObject({ name: 'file.txt', gone: true });
  expect(filesBelow(join(root, 'data', 'artifacts'))).toEqual([]);
});

test('the next pass removes the folder of an ended run without steps, and an unknown folder stays for a day', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs });
  const [ended, running] = [await opened.create('prints'), await opened.create('hold')];
  await opened.finished(ended);
  await expect.poll(() => opened.messages(running)).toEqual(['held']);
  const runsDir = join(root, 'data', 'runs');
  await expect.poll(() => readdirSync(runsDir)).toEqual([running]);
  await opened.close();
  cpSync(join(runsDir, running), join(runsDir, ended), { recursive: true });
  mkdirSync(join(runsDir, 'run_unknown'));

  const next = await openEngine(root, { nowMs: Date.now() + 61_000 });
  expect((await next.retention.collect(asked)).removed).toMatchObject({ workspaces: 1 });
  expect(readdirSync(runsDir)).toEqual([running, 'run_unknown']);
  await next.close();
  const later = await openEngine(root, { nowMs: Date.now() + 25 * hourMs });
  expect((await later.retention.collect(asked)).removed).toMatchObject({ workspaces: 1 });
  expect(readdirSync(runsDir)).toEqual([running]);
  await later.when(running, ({ status }) => status === 'running');
  await later.engine.cancel(running, localPrincipal);
});

test('the workspace of a run with steps, and the snapshot that a rerun needs, stay for their retention', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs });
  const runId = await opened.create('stepped');
  await opened.finished(runId);
  await opened.close();
  const folder = join(root, 'data', 'runs', runId);
  const snapshots = join(root, 'data', 'snapshots');
  await expect.poll(() => readdirSync(folder)).toEqual(['workspace']);
  // A crash leaves such a folder.
  mkdirSync(join(folder, '1-1'));
  const long = new Date(Date.now() - 10 * hourMs);
  for (const name of readdirSync(snapshots)) utimesSync(join(snapshots, name), long, long);

  const policy = { workspacesMs: 3 * hourMs, snapshotsMs: hourMs };
  const early = await openEngine(root, { policy, nowMs: Date.now() + 2 * hourMs });
  expect((await early.retention.collect(asked)).removed).toMatchObject({ workspaces: 0, snapshots: 0 });
  expect(readdirSync(folder)).toEqual(['workspace']);
  await early.close();
  const late = await openEngine(root, { policy, nowMs: Date.now() + 4 * hourMs });
  expect((await late.retention.collect(asked)).removed).toMatchObject({ workspaces: 1, snapshots: 1 });
  expect([existsSync(folder), readdirSync(snapshots)]).toEqual([false, []]);
  // When the job runs again, its snapshot is taken again.
  await late.finished(await late.create('stepped'));
});

test('a snapshot that was taken recently stays', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs, policy: { snapshotsMs: hourMs } });
  const snapshots = join(root, 'data', 'snapshots');
  await opened.finished(await opened.create('prints'));
  expect((await opened.retention.collect(asked)).removed).toMatchObject({ snapshots: 0 });
  expect(readdirSync(snapshots)).toHaveLength(1);
});

test('files that a crash left without a row in the database are removed after a day', async () => {
  const root = dataFolder();
  const first = await openEngine(root, { jobs });
  const runId = await first.create('prints');
  await first.finished(runId);
  const data = join(root, 'data');
  const [blob, log] = [filesBelow(join(data, 'artifacts')), filesBelow(join(data, 'logs'))];
  mkdirSync(join(data, 'artifacts', 'ZZ'), { recursive: true });
  mkdirSync(join(data, 'logs', 'ZZ'), { recursive: true });
  mkdirSync(join(data, 'snapshots', '.draft-abc'));
  writeFileSync(join(data, 'artifacts', 'ZZ', 'artifact_01ZZ'), '12345');
  writeFileSync(join(data, 'logs', 'ZZ', 'run_01ZZ.1.raw'), '12345');
  writeFileSync(join(data, 'logs', 'ZZ', 'run_01ZZ.2.raw.damaged'), '12345');
  writeFileSync(join(data, 'logs', 'ZZ', 'a note of the operator’s'), '');
  expect((await first.retention.collect(asked)).removed).toMatchObject({ leftovers: 0 });
  await first.close();

  const opened = await openEngine(root, { nowMs: Date.now() + 25 * hourMs });
  expect((await opened.retention.collect(asked)).removed).toMatchObject({ leftovers: 4, file_bytes: 15 });
  expect(filesBelow(join(data, 'artifacts'))).toEqual(blob);
  expect(filesBelow(join(data, 'logs')).toSorted()).toEqual([...log, 'a note of the operator’s'].toSorted());
});

testOnSqlite('retention shrinks the database file', async () => {
  const root = dataFolder();
  const first = await openEngine(root, { jobs: { quick: bash('true') } });
  const runId = await first.create('quick');
  await first.finished(runId);
  await first.close();
  multiplyRun(root, 5_000);
  const path = join(root, 'data', 'flwd.db');
  const before = statSync(path).size;

  const opened = await openEngine(root, {
    policy: { runsMs: hourMs, eventsMs: hourMs },
    nowMs: Date.now() + 2 * hourMs,
  });
  const { removed } = await opened.retention.collect({ ...asked, keptFreeBytes: 0 });
  expect(removed.runs).toBe(5_001);
  expect(removed.database_bytes).toBeGreaterThan(before / 2);
  await opened.close();
  expect(statSync(path).size).toBeLessThan(before / 10);
});

testOnSqliteWithDisk('a full disk does not stop retention: files are removed first, then the rows', async () => {
  const root = dataFolder({ sizeMiB: 24 });
  const first = await openEngine(root, { jobs: { prints: bash('seq 200000') } });
  const runIds = await Promise.all(Array.from({ length: 4 }, () => first.create('prints')));
  for (const runId of runIds) await first.finished(runId);
  await first.close();
  multiplyRun(root, 2_000);

  const opened = await openEngine(root, {
    policy: { runsMs: hourMs, logsMs: hourMs, eventsMs: hourMs },
    nowMs: Date.now() + 2 * hourMs,
  });
  const free = fillDisk(root);
  const { done, removed } = await opened.retention.collect(asked);
  expect({ done, runs: removed.runs }).toEqual({ done: true, runs: 2_004 });
  free();
  expect(opened.store.db.failure()).toBeNull();
});

testOnSqliteWithDisk('a pass that a caller has asked for may use the reserve of a full disk', async () => {
  const root = dataFolder({ sizeMiB: 24 });
  const stores = bash('head -c 1000000 /dev/urandom >"$FLWD_ARTIFACTS_DIR/a"');
  const opened = await openEngine(root, {
    jobs: { stores },
    policy: { artifactsMs: hourMs },
    nowMs: Date.now() + 2 * hourMs,
  });
  for (let n = 0; n < 3; n += 1) await opened.finished(await opened.create('stores'));
  await keepReserve(join(root, 'data'));
  fillDisk(root);
  const { done, removed } = await opened.retention.collect(asked);
  expect({ done, artifacts: removed.artifacts }).toEqual({ done: true, artifacts: 3 });
});

/** Copies the only run of the database in SQL: thousands of real ones would take minutes. */
function multiplyRun(root: string, times: number): void {
  const database = new DatabaseSync(join(root, 'data', 'flwd.db'));
  const columns = (table: string): string[] =>
    database
      .prepare(`SELECT name FROM pragma_table_info('${table}')`)
      .all()
      .map(({ name }) => String(name));
  database.exec('BEGIN');
  database.exec('CREATE TEMP TABLE original AS SELECT * FROM runs ORDER BY id LIMIT 1');
  for (const [table, key] of [
    ['runs', 'id'],
    ['run_plans', 'run_id'],
    ['steps', 'run_id'],
  ] as const) {
    const names = columns(table);
    const values = names.map((name) => (name === key ? "'run_' || printf('%026d', n.value)" : `o.${name}`));
    database.exec(`WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < ${times})
      INSERT INTO ${table} (${names.join(', ')}) SELECT ${values.join(', ')} FROM ${table} o, n
      WHERE o.${key} = (SELECT id FROM original)`);
  }
  database.exec(`UPDATE run_counts SET count = count + ${times}; COMMIT`);
  database.close();
}

test('a server that stops waits up to a second while a large folder is being removed, and leaves the rest', async () => {
  const root = dataFolder();
  const opened = await openEngine(root, { jobs });
  await opened.finished(await opened.create('stepped'));
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  // The disk is slow.
  const folderOf = () => {
    begin();
    return new Promise<never>(() => undefined);
  };
  const lines: unknown[] = [];
  const retention = createRetention({
    store: { ...opened.store, retention: { ...opened.store.retention, folderOf } },
    runsDir: join(root, 'data', 'runs'),
    snapshotsDir: join(root, 'data', 'snapshots'),
    policy: {
      runsMs: null,
      logsMs: null,
      artifactsMs: null,
      workspacesMs: 0,
      snapshotsMs: null,
      eventsMs: null,
      auditMs: null,
      statsMs: null,
    },
    clock: systemClock,
    stoppedMs: 0,
    log: pino({ level: 'warn' }, { write: (line) => void lines.push(line) }),
  });
  retention.start();
  await begun;
  await retention.close();
  expect(lines).toEqual([]);
});

test('audit entries are removed on request, and automatically once the oldest is a day past its retention', async () => {
  const root = dataFolder();
  const policy = { auditMs: hourMs };
  const first = await openEngine(root);
  for (let n = 0; n < 1_100; n++) await first.store.audit.record(anEntry());
  await first.close();

  const early = await openEngine(root, { policy, nowMs: Date.now() + 10 * hourMs });
  expect((await early.retention.preview()).audit).toBe(1_100);
  early.retention.start();
  await early.close();

  const late = await openEngine(root, { policy, nowMs: Date.now() + 26 * hourMs });
  expect(await late.store.audit.list({ limit: 1 })).toMatchObject({ total: 1_100 });
  late.retention.start();
  // The entries are removed in three steps. The last step also removes the entries that the first two have added,
  // because the clock of retention is ahead here.
  await expect
    .poll(() => late.store.audit.list({ limit: 10 }))
    .toMatchObject({
      total: 1,
      entries: [{ action: 'audit.expire', detail: { through: 1_102, count: 102 } }],
    });
  await late.close();

  const again = await openEngine(root, { policy, nowMs: Date.now() + 10 * hourMs });
  expect((await again.retention.collect(asked)).removed).toMatchObject({ audit: 1 });
});

test('a clock that is put forward makes nothing expire for a day, and nothing at all if it is put back by then', async () => {
  const clock = movableClock();
  const root = dataFolder();
  const policy = { runsMs: 48 * hourMs, logsMs: 48 * hourMs, artifactsMs: 48 * hourMs };
  const opened = await openEngine(root, { jobs, clock, policy });
  const { create, finished, retention } = opened;
  await finished(await create('prints'));
  const kept = { ...(await rowsOf(opened)), runs: 1, artifacts: 1, expired_logs: 0 };

  clock.setBy(1_000 * hourMs);
  expect((await retention.collect(asked)).removed).toMatchObject({ runs: 0, logs: 0, artifacts: 0 });
  expect(await retention.preview()).toMatchObject({ runs: 0, logs: 0, artifacts: 0 });
  clock.forward(23 * hourMs);
  expect((await retention.collect(asked)).removed).toMatchObject({ runs: 0, logs: 0, artifacts: 0 });
  clock.setBy(-1_000 * hourMs);
  clock.forward(2 * hourMs);
  expect((await retention.collect(asked)).removed).toMatchObject({ runs: 0, logs: 0, artifacts: 0 });
  expect(await rowsOf(opened)).toEqual(kept);

  // This time the clock is not put back, so it is trusted after a day.
  clock.setBy(100 * hourMs);
  expect((await retention.collect(asked)).removed).toMatchObject({ runs: 0 });
  clock.forward(24 * hourMs);
  expect((await retention.collect(asked)).removed).toMatchObject({ runs: 1, logs: 1, artifacts: 1 });
});

test('a server that starts with a clock far ahead removes nothing for 24 hours of running, even over restarts', async () => {
  const root = dataFolder();
  const first = await openEngine(root, { jobs });
  const runId = await first.create('stepped');
  await first.finished(runId);
  await first.close();
  const policy = { runsMs: 90 * 24 * hourMs };
  /** Starts a server that runs for some hours. Returns how many runs it has removed at its end. */
  async function serve(hours: number, o: { readonly setMs: number; readonly stoppedMs: number }): Promise<number> {
    const clock = movableClock();
    clock.setBy(o.setMs);
    const server = await openEngine(root, { policy, clock, stoppedMs: o.stoppedMs });
    server.retention.start();
    expect(await server.retention.preview()).toMatchObject({ runs: 0 });
    expect((await server.retention.collect(asked)).removed).toMatchObject({ runs: 0 });
    clock.forward(hours * hourMs);
    const { removed } = await server.retention.collect(asked);
    await server.close();
    return removed.runs;
  }

  // The clock is a hundred days ahead, and is still wrong when the server starts again a moment later.
  const hundredDaysMs = 2_400 * hourMs;
  expect(await serve(1, { setMs: hundredDaysMs, stoppedMs: hundredDaysMs })).toBe(0);
  expect(await serve(1, { setMs: hundredDaysMs, stoppedMs: 1_000 })).toBe(0);
  // Somebody corrects the clock while no server is running, and it goes wrong again.
  expect(await serve(1, { setMs: 0, stoppedMs: -hundredDaysMs })).toBe(0);
  expect(await serve(20, { setMs: hundredDaysMs, stoppedMs: hundredDaysMs })).toBe(0);
  expect(await serve(5, { setMs: hundredDaysMs, stoppedMs: 1_000 })).toBe(1);
});

test('flwd gc without a server trusts a clock that is far ahead', async () => {
  const root = dataFolder();
  const first = await openEngine(root, { jobs });
  await first.finished(await first.create('prints'));
  await first.close();
  const nowMs = Date.now() + 2_400 * hourMs;
  const command = await openEngine(root, { policy: { runsMs: 90 * 24 * hourMs }, nowMs, stoppedMs: 2_400 * hourMs });
  expect((await command.retention.collect(asked)).removed).toMatchObject({ runs: 1 });
});

test('an artifact that expired only because the clock was ahead is available again once the clock is set back', async () => {
  const clock = movableClock();
  const root = dataFolder();
  const artifactLimits = { maxSizeBytes: 2 ** 20, quotaBytes: 2 ** 30, ttlMs: hourMs };
  const { create, finished, retention } = await openEngine(root, { jobs, clock, execution: { artifactLimits } });
  await finished(await create('prints'));
  const files = (): string[] => filesBelow(join(root, 'data', 'artifacts'));
  expect(files()).toHaveLength(1);
  clock.setBy(2 * hourMs);
  await retention.collect(asked);
  expect(files()).toHaveLength(1);
  clock.setBy(-2 * hourMs);
  clock.forward(hourMs);
  await retention.collect(asked);
  expect(files()).toEqual([]);
});
