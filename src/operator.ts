// The commands of an operator that work with the files of a data dir, without its server: one function for each
// command. If a server has the data dir, the commands call the server instead.

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Catalog } from './catalog/catalog.ts';
import { isRevision } from './catalog/source/revision.ts';
import { type Config, foldersOf, ownFolders, pipesDir } from './config/config.ts';
import { checkJobs } from './doctor/broken-jobs.ts';
import { checkRules } from './doctor/rules.ts';
import { checkDataDir, examineFiles } from './doctor/start-needs.ts';
import { examineStarters } from './doctor/starters.ts';
import { examineLeft, examineStored } from './doctor/stored-data.ts';
import { ownEntry } from './domain/audit.ts';
import { type HostCheck, ok, warn } from './domain/host-check.ts';
import { triggersPausedWords } from './domain/trigger/paused.ts';
import { openKeyring } from './engine/secrets/keyring.ts';
import { createSealer } from './engine/secrets/seal.ts';
import { countUnopened, type Unopened } from './engine/secrets/unopened-secrets.ts';
import { runsAlive } from './exec/proc/live-attempts.ts';
import { startHostProbe } from './host-probe.ts';
import { assertKinds } from './instance/data-dir.ts';
import { giveUpReserve, withLentRoom } from './instance/disk-reserve.ts';
import { acquireOwnership } from './instance/owner-lock.ts';
import { isTakeoverUnfinished } from './instance/takeover-folder.ts';
import { assertRestored, unfinishedRestoreFile } from './instance/unfinished-restore.ts';
import { packageVersion } from './instance/version.ts';
import { systemClock } from './lib/clock.ts';
import { folderTrouble } from './lib/files/readable-folder.ts';
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

/**
 * Examines the host and the stored data. Works with and without a running server, and changes nothing.
 * @param served what the running server says
 */
export async function examineHost(
  config: Config,
  served: Served | undefined,
): Promise<{ checks: HostCheck[]; canRunDefault: boolean; canServe: boolean }> {
  const probe = startHostProbe(config);
  const own = [
    await checkDataDir(config.instance.dataDir, [...ownFolders(config), pipesDir(config)]),
    ...(await examineFiles(config)),
    ...(await examineStored(config, placesOf(config))),
    ...examineLeft(placesOf(config)),
  ];
  const now = new Date(systemClock.now()).toISOString();
  const checks = [
    ...(await probe.checks()),
    ...own,
    ...examineSources(config, served?.sources),
    ...(await examineJobs(config, served)),
    ...takeoverChecks(config),
    ...(config.scheduler.schedulesPaused
      ? [warn('schedules', 'scheduler.schedules_paused pauses all schedules', 'remove it from flwd.yaml')]
      : []),
    ...(config.scheduler.triggersPaused ? [warn('triggers', triggersPausedWords, 'remove it from flwd.yaml')] : []),
    ok('clock', `${now} UTC; schedules and tokens use it`),
  ];
  const canServe = own.every(({ status }) => status !== 'fail');
  return { checks, canRunDefault: (await probe.capabilities)[config.security.defaultProfile].available, canServe };
}

/** Without a server, reads the jobs as the next server would. */
function examineJobs(config: Config, served: Served | undefined): Promise<HostCheck[]> {
  return withCatalog(config, async (catalog) => {
    const ids = catalog.entries().map(({ definition }) => definition.id);
    const valid = served?.sources.reduce((sum, { jobs }) => sum + jobs, 0) ?? ids.length;
    const broken = served?.broken ?? catalog.invalid().map(({ id }) => id);
    return [
      ...checkJobs({ valid, broken }),
      ...checkRules(config.notify.rules, [...ids, ...broken]),
      ...(await examineStarts(config, catalog)),
    ];
  });
}

async function examineStarts(config: Config, catalog: Catalog): Promise<HostCheck[]> {
  // If SQLite opened this database, it would create the files beside it with the same mode. So the mode has to be fixed
  // first.
  if (findUnwritable(config.persistence.dbPath)) return [];
  try {
    return await withLentRoom(config.instance.dataDir, () => examineStarters(config, catalog));
  } catch (error) {
    // `examineStored` already reports that the database is damaged or may not be read, or that there is no room to read
    // it.
    if (damageIn(error) !== undefined || storageProblem(toDatabaseFailure(error))) return [];
    throw error;
  }
}

type ServedSource = { readonly name: string; readonly path?: string; readonly is_missing: boolean };

type Served = {
  readonly sources: readonly (ServedSource & { readonly jobs: number })[];
  /** The ids of the broken jobs. */
  readonly broken: readonly string[];
};

/**
 * Checks the folders of the sources. If a folder is missing or cannot be read, the server still runs, and finds the
 * jobs when the folder is back.
 */
function examineSources({ sources }: Config, served: readonly ServedSource[] | undefined): HostCheck[] {
  const found =
    served ?? sources.map(({ name, path }) => ({ name, path, is_missing: folderTrouble(path) !== undefined }));
  // The server may have got its sources from `--jobs`.
  const named = sources.filter(({ isDefault }) => !isDefault);
  const unserved = named.filter(({ name }) => !found.some((one) => one.name === name));
  const bad = [
    ...found.filter((one) => one.is_missing).map(warnOfMissing),
    ...unserved.map(({ name }) => warn('sources', `the running server does not know ${name}`, 'restart the server')),
  ];
  if (bad.length > 0 || found.length === 0) return bad;
  return [ok('sources', found.map((one) => `${one.name} in ${one.path}`).join(', '))];
}

function warnOfMissing({ name, path = '' }: ServedSource): HostCheck {
  const trouble = folderTrouble(path);
  if (trouble === 'unreadable') {
    const detail = `${name} has no jobs, because uid ${process.geteuid?.()} may not read the folder ${path}`;
    return warn('sources', detail, 'let the user of the server read and enter the folder');
  }
  if (!trouble) {
    const detail = `${name} has no jobs: the running server finds ${path} empty, or cannot read it`;
    const fix = 'mount it or put it back, or let the user of the server read and enter it';
    return warn('sources', detail, `${fix}; if it should have no jobs, put any file into it`);
  }
  const fix = 'mount it or put it back, or correct its path under sources in flwd.yaml and restart the server';
  return warn('sources', `${name} has no jobs, because there is no folder ${path}`, fix);
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
  assertRestored(config.instance.dataDir);
  assertKinds(ownFolders(config), config.persistence.dbPath);
  return withLentRoom(config.instance.dataDir, () =>
    createBackup({ ...o, places: placesOf(config), version: packageVersion() }),
  );
}

/** @throws DataDirOwned if a server has the data dir, StartError if scripts of its runs are still running */
export async function restore(
  config: Config,
  o: Pick<RestoreRequest<Unopened>, 'source' | 'force' | 'onProgress'>,
): Promise<RestoreSummary & { readonly unopened: Unopened }> {
  const { dataDir } = config.instance;
  const warn = (message: string): void => o.onProgress(message);
  const isNew = !existsSync(dataDir);
  const ownership = await acquireOwnership(dataDir, { warn, isRestore: true });
  try {
    const alive = runsAlive(foldersOf(config).runsDir);
    if (alive.length > 0) {
      const [first] = alive;
      const others = alive.length > 1 ? ` and ${alive.length - 1} more` : '';
      throw new StartError(
        `scripts of this data dir are still running: ${first}${others}; start the server and cancel them first`,
      );
    }
    const takeBack = await giveUpReserve(dataDir);
    try {
      const { completed, ...restored } = await restoreBackup<Unopened>({
        ...o,
        places: placesOf(config),
        unfinishedFile: unfinishedRestoreFile(dataDir),
        isRevision,
        complete: (draft, createdAt) => recordRestore(config, draft, createdAt),
      });
      return { ...restored, unopened: completed };
    } finally {
      await takeBack();
    }
  } catch (error) {
    if (isNew && !existsSync(unfinishedRestoreFile(dataDir))) rmSync(dataDir, { recursive: true });
    throw error;
  } finally {
    await ownership.release();
  }
}

/** Adds an entry to the audit log that the backup contains. Entries that are newer than the backup are lost. */
async function recordRestore(
  config: Config,
  draft: Pick<Places, 'dbPath' | 'secretKeyFile'>,
  asOf: string,
): Promise<Unopened> {
  const { blobsDir, secretKey } = config.persistence;
  const log = createLogger({ ...config.logging, output: 'stderr' });
  const store = await openStore({ ...draft, blobsDir, clock: systemClock, log, onCommit: () => undefined });
  try {
    const object = { kind: 'instance', id: null } as const;
    await store.audit.record(ownEntry('local', { action: 'restore', object, tenant: '*', detail: { as_of: asOf } }));
    const hasKey = secretKey !== null || existsSync(draft.secretKeyFile);
    return await countUnopened(store, hasKey ? createSealer(openKeyring(draft.secretKeyFile, secretKey)) : undefined);
  } finally {
    await store.close();
  }
}

/** @throws StartError if there is no audit log */
export function withAudit<T>({ instance, persistence }: Config, work: (audit: AuditFile) => Promise<T>): Promise<T> {
  assertRestored(instance.dataDir);
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
