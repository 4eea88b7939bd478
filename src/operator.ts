// What an operator does with the files of a data dir, without its server: one function per command. If a server has the
// data dir, commands ask the server instead.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, foldersOf } from './config/config.ts';
import { checkDataDir, examineFiles } from './doctor/start-needs.ts';
import { examineStarters } from './doctor/starters.ts';
import { examineStored } from './doctor/stored-data.ts';
import { ownEntry } from './domain/audit.ts';
import { type HostCheck, ok, warn } from './domain/host-check.ts';
import { openKeyring } from './engine/secrets/keyring.ts';
import { createSealer } from './engine/secrets/seal.ts';
import { countUnopened, type Unopened } from './engine/secrets/unopened-secrets.ts';
import { runsAlive } from './exec/proc/live-attempts.ts';
import { startHostProbe } from './host-probe.ts';
import { withLentRoom } from './instance/disk-reserve.ts';
import { acquireOwnership } from './instance/owner-lock.ts';
import { isTakeoverUnfinished } from './instance/takeover-folder.ts';
import { packageVersion } from './instance/version.ts';
import { systemClock } from './lib/clock.ts';
import { createLogger } from './lib/logger.ts';
import { StartError } from './lib/start-error.ts';
import { withCatalog } from './sources.ts';
import type { AuditVerdict } from './store/audit/audit-verify.ts';
import { type BackupRequest, type BackupSummary, createBackup, type Places } from './store/backup/backup.ts';
import { type RestoreRequest, type RestoreSummary, restoreBackup } from './store/backup/restore.ts';
import { openStore } from './store/open.ts';
import { type AuditFile, listNames, openAuditFile, type StoredNames } from './store/sqlite/offline.ts';
import { damageIn, findUnwritable, toDatabaseFailure } from './store/sqlite/sqlite-files.ts';
import { storageProblem } from './store/storage-error.ts';

export { examineFiles } from './doctor/start-needs.ts';
export { whyNothingIsChecked } from './doctor/starters.ts';

/** Lists the names in the database. Creates no database and does not take the data dir. */
export async function readNames({ persistence }: Config, mostRuns: number): Promise<StoredNames> {
  return listNames(persistence.dbPath, mostRuns);
}

/** Examines the host and the stored data. Works with and without a running server, and changes nothing. */
export async function examineHost(
  config: Config,
): Promise<{ checks: HostCheck[]; canRunDefault: boolean; canServe: boolean }> {
  const probe = startHostProbe(config);
  const own = [
    await checkDataDir(config.instance.dataDir),
    ...(await examineFiles(config)),
    ...(await examineStored(config, placesOf(config))),
  ];
  const now = new Date(systemClock.now()).toISOString();
  const checks = [
    ...(await probe.checks()),
    ...own,
    ...examineSources(config),
    ...(await examineJobs(config)),
    ...takeoverChecks(config),
    ...(config.scheduler.schedulesPaused
      ? [warn('schedules', 'scheduler.schedules_paused pauses all schedules', 'remove it from flwd.yaml')]
      : []),
    ok('clock', `${now} UTC; schedules and tokens use it`),
  ];
  const canServe = own.every(({ status }) => status !== 'fail');
  return { checks, canRunDefault: (await probe.capabilities)[config.security.defaultProfile].available, canServe };
}

async function examineJobs(config: Config): Promise<HostCheck[]> {
  // SQLite would create the files beside the database with the same mode, which has to be fixed first.
  if (findUnwritable(config.persistence.dbPath)) return [];
  try {
    return await withLentRoom(config.instance.dataDir, () =>
      withCatalog(config, (catalog) => examineStarters(config, catalog)),
    );
  } catch (error) {
    // `examineStored` says that the database is damaged or may not be read, or that there is no room to read it.
    if (damageIn(error) !== undefined || storageProblem(toDatabaseFailure(error))) return [];
    throw error;
  }
}

/** A server without one of these folders runs, and finds its jobs once the folder is there. */
function examineSources({ sources }: Config): HostCheck[] {
  const name = 'sources';
  const fix = 'mount it or put it back, or correct its path under sources in flwd.yaml and restart the server';
  const missing = sources.filter(({ path }) => !statSync(path, { throwIfNoEntry: false })?.isDirectory());
  if (missing.length > 0)
    return missing.map((one) => warn(name, `${one.name} has no jobs, because there is no folder ${one.path}`, fix));
  return sources.length === 0 ? [] : [ok(name, sources.map((one) => `${one.name} in ${one.path}`).join(', '))];
}

function takeoverChecks({ instance: { dataDir } }: Config): HostCheck[] {
  if (!isTakeoverUnfinished(dataDir)) return [];
  const what = 'a takeover from cron was interrupted, so nothing starts its jobs';
  return [warn('takeover', what, 'finish it with flwd takeover, or give the lines back with flwd takeover --undo')];
}

export async function backUp(
  config: Config,
  o: Pick<BackupRequest, 'destination' | 'includesKey'>,
): Promise<BackupSummary> {
  return withLentRoom(config.instance.dataDir, () =>
    createBackup({ ...o, places: placesOf(config), version: packageVersion() }),
  );
}

/** @throws DataDirOwned if a server has the data dir, StartError if its scripts are running without one */
export async function restore(
  config: Config,
  o: Pick<RestoreRequest, 'source' | 'force' | 'onProgress'>,
): Promise<RestoreSummary & { readonly unopened: Unopened }> {
  const warn = (message: string): void => o.onProgress(message);
  const ownership = await acquireOwnership(config.instance.dataDir, { warn });
  try {
    const alive = runsAlive(foldersOf(config).runsDir);
    if (alive.length > 0) {
      const [first] = alive;
      const others = alive.length > 1 ? ` and ${alive.length - 1} more` : '';
      throw new StartError(
        `scripts of this data dir are still running: ${first}${others}; start the server and cancel them first`,
      );
    }
    const restored = await restoreBackup({ ...o, places: placesOf(config) });
    return { ...restored, unopened: await recordRestore(config, restored.createdAt) };
  } finally {
    await ownership.release();
  }
}

/** Adds an entry to the audit log of the backup. Entries after the backup are gone. */
async function recordRestore(config: Config, asOf: string): Promise<Unopened> {
  const { dbPath, blobsDir, secretKeyFile, secretKey } = config.persistence;
  const log = createLogger({ ...config.logging, output: 'stderr' });
  const store = await openStore({ dbPath, blobsDir, clock: systemClock, log, onCommit: () => undefined });
  try {
    const object = { kind: 'instance', id: null } as const;
    await store.audit.record(ownEntry('local', { action: 'restore', object, tenant: '*', detail: { as_of: asOf } }));
    const hasKey = secretKey !== null || existsSync(secretKeyFile);
    return await countUnopened(store, hasKey ? createSealer(openKeyring(secretKeyFile, secretKey)) : undefined);
  } finally {
    await store.close();
  }
}

/** @throws StartError if there is no audit log */
export function withAudit<T>({ instance, persistence }: Config, work: (audit: AuditFile) => Promise<T>): Promise<T> {
  return withLentRoom(instance.dataDir, async () => {
    const audit = openAuditFile(persistence.dbPath);
    try {
      return await work(audit);
    } finally {
      audit.close();
    }
  });
}

/** @throws StartError if there is no audit log */
export function verifyAudit(config: Config): Promise<AuditVerdict> {
  return withAudit(config, (audit) => audit.verify());
}

function placesOf(config: Config): Places {
  const { dbPath, blobsDir, secretKeyFile } = config.persistence;
  const { signingKeyFile } = config.notify;
  const { runsDir, snapshotsDir } = foldersOf(config);
  return {
    dataDir: config.instance.dataDir,
    dbPath,
    logsDir: join(blobsDir, 'logs'),
    artifactsDir: join(blobsDir, 'artifacts'),
    snapshotsDir,
    runsDir,
    secretKeyFile,
    signingKeyFile,
  };
}
