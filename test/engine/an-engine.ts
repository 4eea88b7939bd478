// An engine with a real store, catalog and scripts in this process. A test can stop it, open it again on its folder,
// and fill its disk.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { createSnapshots } from '../../src/catalog/source/snapshot.ts';
import type { JsonObject } from '../../src/domain/job.ts';
import { localPrincipal } from '../../src/domain/principal.ts';
import { noResources, type Resources } from '../../src/domain/resources.ts';
import type { Run } from '../../src/domain/run.ts';
import type { Caller } from '../../src/engine/create.ts';
import { createEngine, type Engine } from '../../src/engine/engine.ts';
import { createHub, type Hub } from '../../src/engine/hub.ts';
import type { RunRequest, SecurityPolicy } from '../../src/engine/plan/plan.ts';
import type { QueueLimits } from '../../src/engine/queue/queue.ts';
import { createRetention, type Retention, type RetentionPolicy } from '../../src/engine/retention/retain.ts';
import type { ControllerContext } from '../../src/engine/run/run-context.ts';
import type { Gap } from '../../src/engine/schedule/missed-words.ts';
import type { Calendars } from '../../src/engine/schedule/schedule-times.ts';
import { probeHost } from '../../src/exec/host/host.ts';
import type { LimitHost } from '../../src/exec/host/limit-host.ts';
import { openForkServer } from '../../src/exec/proc/fork-server.ts';
import { createRoomLender } from '../../src/instance/disk-reserve.ts';
import { type SteadyClock, systemClock } from '../../src/lib/clock.ts';
import { createStore, openStore, type Store } from '../../src/store/open.ts';
import { openDatabaseOf } from '../store/postgres-databases.ts';
import { engineOptions } from '../support/engine-options.ts';
import { type JobFiles, writeJob } from '../support/jobs.ts';
import { keepsAll } from '../support/keeps-all.ts';
import { isLeftNote } from '../support/left-note.ts';
import { endProcessesOf } from '../support/processes.ts';
import { mountDisk, testWithDisk } from '../support/small-disk.ts';

export const caller: Caller = {
  principal: localPrincipal,
  trigger: 'api',
  requestId: 'req_1',
};

export type Opened = {
  readonly engine: Engine;
  readonly store: Store;
  readonly retention: Retention;
  /** What the engine wrote to its own log. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  readonly create: (jobId: string, args?: JsonObject, more?: Partial<RunRequest>) => Promise<string>;
  /** Waits until the run matches and the engine has announced it, and returns the run. */
  readonly when: (runId: string, isSo: (run: Run) => boolean) => Promise<Run>;
  readonly finished: (runId: string) => Promise<Run>;
  /** The runs that the engine drives or may take over. */
  readonly running: () => Promise<readonly string[]>;
  /** The log of the run, without the note about files that are not kept. Most jobs in tests leave some files. */
  readonly messages: (runId: string) => Promise<string[]>;
  /** Reads the folder of jobs again. */
  readonly rescan: () => Promise<void>;
  readonly close: () => Promise<void>;
};

/** A folder for the data of one test. With `sizeMiB`, it is on its own disk. */
export function dataFolder({ sizeMiB, inodes }: { readonly sizeMiB?: number; readonly inodes?: number } = {}): string {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-engine-'));
  onTestFinished(async () => {
    // Jobs outlive their server.
    await endProcessesOf(dir);
    // A killed process may still write until it has ended.
    rmSync(dir, { recursive: true, force: true, maxRetries: 20 });
  });
  if (sizeMiB !== undefined) mountDisk(dir, sizeMiB, inodes);
  return dir;
}

const capabilities = await probeHost();

const { FLWD_TEST_POSTGRES: postgresDir } = process.env;
const isOnPostgres = postgresDir !== undefined;
/** For tests that open the database file or fill its disk. Only the project `parts` runs them. */
export const testOnSqlite = test.skipIf(isOnPostgres);
export const testOnSqliteWithDisk = isOnPostgres ? testOnSqlite : testWithDisk;

/** On SQLite, or on PostgreSQL in the project that has a server. */
export async function openStoreIn(
  dataDir: string,
  parts: Omit<Parameters<typeof openStore>[0], 'dbPath'>,
): Promise<Store> {
  if (postgresDir === undefined) return openStore({ ...parts, dbPath: join(dataDir, 'flwd.db') });
  return createStore({ ...parts, db: await openDatabaseOf(dataDir, postgresDir, parts) });
}

export async function openEngine(
  root: string,
  o: {
    readonly jobs?: Readonly<Record<string, JobFiles>>;
    readonly limits?: Partial<QueueLimits>;
    /** The root folder whose database the engine opens, if it is not its own root. */
    readonly databaseOf?: string;
    /** The folder for logs and artifacts, if it is not the data folder. */
    readonly blobsDir?: string;
    readonly clock?: SteadyClock;
    /** The zone of schedules without a time zone; UTC by default. */
    readonly timezone?: string;
    readonly calendars?: Calendars;
    readonly downtime?: Gap;
    /** How long retention believes that no server was running. */
    readonly stoppedMs?: number;
    /** Whether flwd.yaml pauses all schedules. */
    readonly arePaused?: boolean;
    readonly execution?: Partial<Pick<ControllerContext, 'artifactLimits' | 'masked' | 'runCallers'>>;
    /** Enforces the limits of runs. Without it, no limit is enforced. */
    readonly limitHost?: LimitHost;
    /** The limits of a run that asks for no limits, and the most that a run may ask for. */
    readonly resources?: Partial<Resources>;
    readonly security?: Partial<SecurityPolicy>;
    /** Whether the source is trusted. True by default. */
    readonly trusted?: boolean;
    /** Whether the source is watched. False by default. */
    readonly watch?: boolean;
    /** Whether the folder of jobs does not exist yet. */
    readonly lacksFolder?: boolean;
    /** The name of the source. */
    readonly source?: string;
    /** How long retention keeps things. By default, everything is kept forever. */
    readonly policy?: Partial<RetentionPolicy>;
    /** The time that retention sees. */
    readonly nowMs?: number;
    /** Called before the engine starts. */
    readonly beforeStart?: (store: Store) => void;
  } = {},
): Promise<Opened> {
  const jobsDir = join(root, 'jobs');
  const dataDir = join(root, 'data');
  for (const dir of [...(o.lacksFolder ? [] : [jobsDir]), join(dataDir, 'runs')]) mkdirSync(dir, { recursive: true });
  for (const [folder, files] of Object.entries(o.jobs ?? {})) await writeJob(join(jobsDir, folder), files);
  const { clock = systemClock } = o;
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line)) });
  let hub: Hub | undefined;
  const store = await openStoreIn(join(o.databaseOf ?? root, 'data'), {
    blobsDir: o.blobsDir ?? dataDir,
    clock,
    log,
    onCommit: (entries) => hub?.publish(entries),
  });
  hub = createHub(await store.journal.latestId());
  const { trusted = true, watch = false, source: name = 'local-fs' } = o;
  const source = { name, type: 'fs', path: jobsDir, mountPath: '.', watch, trusted } as const;
  const catalog = createCatalog({ sources: [source], aliases: [], exclude: [dataDir], log });
  await catalog.start();
  const snapshots = createSnapshots({ dir: join(dataDir, 'snapshots'), exclude: [dataDir] });
  const forkServer = openForkServer(join(dataDir, 'pipes'));
  const options = engineOptions(dataDir, { snapshots, forkServer, capabilities, limitHost: o.limitHost });
  const engine = createEngine({
    ...options,
    store,
    catalog,
    hub,
    clock,
    log,
    timezone: o.timezone ?? options.timezone,
    calendars: o.calendars ?? options.calendars,
    downtime: async () => o.downtime ?? null,
    arePaused: o.arePaused ?? options.arePaused,
    limits: { ...options.limits, ...o.limits },
    policy: { ...options.policy, resources: () => ({ ...noResources, ...o.resources }), ...o.security },
    execution: { ...options.execution, ...o.execution },
  });
  const retention = createRetention({
    store,
    runsDir: join(dataDir, 'runs'),
    snapshotsDir: join(dataDir, 'snapshots'),
    policy: { ...keepsAll, ...o.policy },
    clock: { ...clock, now: () => o.nowMs ?? clock.now() },
    log,
    stoppedMs: o.stoppedMs ?? 0,
    room: createRoomLender(dataDir, { forRemoval: true }),
  });
  o.beforeStart?.(store);
  engine.start();

  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    await retention.close();
    await engine.close();
    await catalog.close();
    await forkServer.close();
    await store.close();
  }
  const when: Opened['when'] = async (runId, isSo) => {
    const found = await vi.waitFor(
      async () => {
        const run = await store.runs.get(runId);
        if (!run) throw new Error(`there is no ${runId}`);
        expect(run).toSatisfy(isSo);
        return run;
      },
      { interval: 20, timeout: 60_000 },
    );
    // A reader can see a commit slightly before the journal reports it.
    await store.db.transact(async () => undefined).catch(() => undefined);
    return found;
  };
  const opened: Opened = {
    engine,
    store,
    retention,
    log: lines,
    when,
    async create(jobId, args = {}, more = {}) {
      return (await engine.createRun({ job_id: jobId, args, ...more }, caller)).runId;
    },
    finished: (runId) => when(runId, (one) => one.finished_at !== null),
    running: () => store.runs.running(options.ownerId),
    async messages(runId) {
      const { lines } = await store.logs.page(runId, { limit: 10_000 });
      return lines.map(({ message }) => message).filter((message) => !isLeftNote(message));
    },
    rescan: () => catalog.rescan(name),
    close: () => (closing ??= close()),
  };
  onTestFinished(() => opened.close().catch(() => undefined));
  return opened;
}
