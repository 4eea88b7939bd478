// The composition root of what an operator does with a data dir itself, without its server: a verb of the command line
// each. Where a server has the data dir, that one is asked instead.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, foldersOf } from './config/config.ts';
import { ownEntry } from './domain/audit.ts';
import { fail, type HostCheck, ok, warn } from './domain/host-check.ts';
import { openKeyring } from './engine/secrets/keyring.ts';
import { createSealer } from './engine/secrets/seal.ts';
import { countUnopened, type Unopened } from './engine/secrets/unopened-secrets.ts';
import { checkDataDir } from './exec/host/host-checks.ts';
import { runsAlive } from './exec/proc/live-attempts.ts';
import { startHostProbe } from './host-probe.ts';
import { withLentRoom } from './instance/disk-reserve.ts';
import { readOwnerId } from './instance/owner-id.ts';
import { acquireOwnership } from './instance/owner-lock.ts';
import { packageVersion } from './instance/version.ts';
import { systemClock } from './lib/clock.ts';
import { createLogger } from './lib/logger.ts';
import { StartError } from './lib/start-error.ts';
import { openJwtVerifier } from './server/admission/open-jwt-verifier.ts';
import { openTlsCertificate } from './server/tls.ts';
import type { AuditVerdict } from './store/audit/audit-verify.ts';
import { type BackupRequest, type BackupSummary, createBackup, type Places } from './store/backup/backup.ts';
import { type RestoreRequest, type RestoreSummary, restoreBackup } from './store/backup/restore.ts';
import { openStore } from './store/open.ts';
import { type Examination, examineStore } from './store/sqlite/examine.ts';
import { type AuditFile, countSecrets, listNames, openAuditFile, type StoredNames } from './store/sqlite/offline.ts';
import { damageIn, toDatabaseFailure } from './store/sqlite/sqlite-files.ts';
import { storageProblem } from './store/storage-error.ts';

/** What is in the database by name: makes none, and takes the data dir from nobody. */
export async function readNames({ persistence }: Config, mostRuns: number): Promise<StoredNames> {
  return listNames(persistence.dbPath, mostRuns);
}

/** For the operator: works beside a server as well as without one, and changes nothing. */
export async function examineHost(
  config: Config,
): Promise<{ checks: HostCheck[]; canRunDefault: boolean; isDamaged: boolean }> {
  const probe = startHostProbe(config);
  const stored = await examineStored(config);
  const now = new Date(systemClock.now()).toISOString();
  const checks = [
    ...(await probe.checks),
    await checkDataDir(config.instance.dataDir),
    ...(await examineFiles(config)),
    ...stored,
    ok('clock', `${now} UTC; schedules and tokens go by it`),
  ];
  const isDamaged = stored.some(({ status }) => status === 'fail');
  return { checks, canRunDefault: (await probe.capabilities)[config.security.defaultProfile].available, isDamaged };
}

const restoreWords = 'stop the server and restore a backup (flwd restore)';

/** Whether what is stored can be read. */
async function examineStored(config: Config): Promise<HostCheck[]> {
  const places = placesOf(config);
  try {
    const found = await withLentRoom(places.dataDir, () => examineStore(places));
    if (!found) return [];
    const { database, isPartial, files, damaged, owners } = found;
    const size = isPartial ? 'its schema can be read; it is too large for a quick check' : 'quick check passed';
    return [
      database === null
        ? ok('database', size)
        : fail('database', `${places.dbPath} is damaged: ${database}`, restoreWords),
      damaged.length === 0
        ? ok('stored files', `logs and artifacts looked at: ${files}; flwd backup reads all of them`)
        : fail('stored files', damaged.join(', '), 'restore a backup (flwd restore) that has them'),
      examineOwners(owners, readOwnerId(places.dataDir)),
    ];
  } catch (error) {
    const words = damageIn(error);
    if (words !== undefined) return [fail('database', `${places.dbPath} is damaged: ${words}`, restoreWords)];
    const shortage = storageProblem(toDatabaseFailure(error));
    if (!shortage) throw error;
    return [warn('database', `${places.dbPath} cannot be read at present`, 'free space, or run flwd gc')];
  }
}

/** Whose the running runs are: another server may share the database (ADR 0039). */
function examineOwners(owners: Examination['owners'], ownId: string | undefined): HostCheck {
  const others = owners.filter(({ owner, host }) => owner !== ownId && host !== null);
  const hosts = [...new Set(others.map(({ host }) => host))].join(', ');
  const ofOthers = others.length === 0 ? '' : `, ${countRuns(others)} of other servers (${hosts})`;
  const own = countRuns(owners) - countRuns(others);
  return ok('owner', `${ownId ?? 'the next start makes an id'}; running runs: ${own} for this data dir${ofOthers}`);
}

function countRuns(owners: Examination['owners']): number {
  return owners.reduce((sum, { runs }) => sum + runs, 0);
}

/** The files of the operator's own that a start takes: it ends where one cannot be used. Makes none. */
export async function examineFiles({ server, auth, persistence, instance, logging }: Config): Promise<HostCheck[]> {
  const parts = {
    clock: systemClock,
    log: createLogger({ ...logging, level: 'silent' }),
    defaultTenant: instance.defaultTenant,
  };
  const { tls } = server;
  const { jwt } = auth;
  return [
    checkSecretKey(persistence),
    ...(tls ? [await checkFile('TLS certificate', tls.certFile, () => openTlsCertificate(tls, parts))] : []),
    ...(jwt && 'file' in jwt.keys
      ? [await checkFile('keys of JWTs', jwt.keys.file, () => openJwtVerifier(jwt, parts))]
      : []),
  ];
}

function checkSecretKey({ secretKeyFile, secretKey, dbPath }: Config['persistence']): HostCheck {
  const name = 'secret key';
  const isMissing = secretKey === null && !existsSync(secretKeyFile);
  let secrets = 0;
  try {
    if (isMissing) secrets = countSecrets(dbPath);
  } catch {
    return fail(
      name,
      `${secretKeyFile} is not there, and the database cannot be read`,
      'run flwd as the owner of both',
    );
  }
  if (isMissing && secrets === 0) return ok(name, `${secretKeyFile} is not there yet; the first start makes it`);
  if (isMissing)
    return fail(
      name,
      `${secretKeyFile} is not there, and the database holds secrets that it sealed (${secrets}); no server starts`,
      'put the file back, or set FLWD_SECRET_KEY; where the key is lost, write a new one into the file and set the secrets again',
    );
  try {
    const { keys, origin } = openKeyring(secretKeyFile, secretKey);
    return ok(name, `${origin === 'file' ? secretKeyFile : 'FLWD_SECRET_KEY'}, keys: ${keys.length}`);
  } catch (error) {
    return failureOf(name, error);
  }
}

async function checkFile(name: string, path: string, open: () => unknown): Promise<HostCheck> {
  try {
    await open();
    return ok(name, path);
  } catch (error) {
    return failureOf(name, error);
  }
}

/** What is wrong, then what to do, as the start itself would say it. */
function failureOf(name: string, error: unknown): HostCheck {
  if (!(error instanceof StartError)) throw error;
  const [detail = '', ...fix] = error.message.split('; ');
  return fail(name, detail, fix.join('; ') || null);
}

export async function backUp(
  config: Config,
  o: Pick<BackupRequest, 'destination' | 'includesKey'>,
): Promise<BackupSummary> {
  return withLentRoom(config.instance.dataDir, () =>
    createBackup({ ...o, places: placesOf(config), version: packageVersion() }),
  );
}

/** @throws DataDirOwned where a server has the data dir, StartError where scripts of it run on without one */
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
        `scripts of this data dir are still running: ${first}${others}; start its server and cancel them first`,
      );
    }
    const restored = await restoreBackup({ ...o, places: placesOf(config) });
    return { ...restored, unopened: await recordRestore(config, restored.createdAt) };
  } finally {
    await ownership.release();
  }
}

/** In the chain of the backup: what came after it is gone. */
async function recordRestore(config: Config, asOf: string): Promise<Unopened> {
  const { dbPath, blobsDir, secretKeyFile, secretKey } = config.persistence;
  const log = createLogger(config.logging);
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

/** @throws StartError where there is none */
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

/** @throws StartError where there is no audit log */
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
