// What an operator does with the files of a data dir, without its server: one function per command. If a server has the
// data dir, commands ask the server instead.

import { existsSync, statSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catalog } from './catalog/catalog.ts';
import { type Config, foldersOf } from './config/config.ts';
import { ownEntry } from './domain/audit.ts';
import { fail, type HostCheck, ok, warn } from './domain/host-check.ts';
import { kvLimits } from './domain/kv.ts';
import { type Channel, secretsIn, secretsOfChannel, waitingWords } from './domain/notification.ts';
import type { Schedule } from './domain/schedule.ts';
import { checkSchedules, schedulesToStart } from './engine/schedule/schedule-check.ts';
import { schedulesOf } from './engine/schedule/schedule-roster.ts';
import { openKeyring, openKeyWords } from './engine/secrets/keyring.ts';
import { createSealer } from './engine/secrets/seal.ts';
import { countUnopened, type Unopened } from './engine/secrets/unopened-secrets.ts';
import { ofMade, webhooksOfJobs, withPrincipal } from './engine/webhook/find-webhook.ts';
import { checkWebhooks } from './engine/webhook/webhook-check.ts';
import { runsAlive } from './exec/proc/live-attempts.ts';
import { startHostProbe } from './host-probe.ts';
import { assertUsable, findDenied, isForeign } from './instance/data-dir.ts';
import { withLentRoom } from './instance/disk-reserve.ts';
import { readOwnerId } from './instance/owner-id.ts';
import { acquireOwnership, isServed, lockFile } from './instance/owner-lock.ts';
import { isTakeoverUnfinished } from './instance/takeover-folder.ts';
import { packageVersion } from './instance/version.ts';
import { systemClock, toTimestamp } from './lib/clock.ts';
import { readCalendar } from './lib/cron/calendars.ts';
import { findLackOfRoom } from './lib/files/disk-room.ts';
import { isOpenToAll, showMode } from './lib/files/file-owner.ts';
import { createLogger } from './lib/logger.ts';
import { StartError } from './lib/start-error.ts';
import { localTimezone } from './lib/timezone.ts';
import { formatSize } from './lib/units.ts';
import { openJwtVerifier } from './server/admission/open-jwt-verifier.ts';
import { openTlsCertificate } from './server/tls.ts';
import { withCatalog } from './sources.ts';
import type { AuditVerdict } from './store/audit/audit-verify.ts';
import { type BackupRequest, type BackupSummary, createBackup, type Places } from './store/backup/backup.ts';
import { type RestoreRequest, type RestoreSummary, restoreBackup } from './store/backup/restore.ts';
import type { Signal } from './store/exports.ts';
import { openStore } from './store/open.ts';
import { type Examination, examineStore } from './store/sqlite/examine.ts';
import {
  type AuditFile,
  countSecrets,
  countUnfinishedRuns,
  type LastServer,
  listNames,
  openAuditFile,
  readLastServer,
  type StoredNames,
  storedSecrets,
  storedWebhooks,
  withMakers,
} from './store/sqlite/offline.ts';
import { damageIn, findUnwritable, toDatabaseFailure } from './store/sqlite/sqlite-files.ts';
import { storageProblem } from './store/storage-error.ts';

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
    ...(await examineStored(config)),
  ];
  const now = new Date(systemClock.now()).toISOString();
  const checks = [
    ...(await probe.checks()),
    ...own,
    ...(await examineStarters(config)),
    ...takeoverChecks(config),
    ...(config.scheduler.schedulesPaused
      ? [warn('schedules', 'scheduler.schedules_paused pauses all schedules', 'remove it from flwd.yaml')]
      : []),
    ok('clock', `${now} UTC; schedules and tokens use it`),
  ];
  const canServe = own.every(({ status }) => status !== 'fail');
  return { checks, canRunDefault: (await probe.capabilities)[config.security.defaultProfile].available, canServe };
}

const leastFreeBytes = 2 ** 30;

/** Whether a server can use the data dir as it is. */
async function checkDataDir(dataDir: string): Promise<HostCheck> {
  const name = 'data dir';
  if (!existsSync(dataDir) && !findDenied(dataDir, dataDir))
    return ok(name, `${dataDir} does not exist yet; the first start creates it`);
  const refusal = await findRefusal(dataDir);
  if (refusal) return failureOf(name, refusal);
  const { mode, uid } = await stat(dataDir);
  const { bavail, bsize } = await statfs(dataDir);
  const freeBytes = bavail * bsize;
  const state = `${dataDir}, mode ${(mode & 0o777).toString(8)}, ${formatSize(freeBytes)} free`;
  if ((mode & 0o077) !== 0) return warn(name, `${state}: other users can open it`, `chmod 700 ${dataDir}`);
  if (uid !== process.geteuid?.())
    return warn(name, `${state}: it belongs to another user (uid ${uid})`, 'run flwd as its owner');
  const found = findLackOfRoom(dataDir);
  if (found) return fail(name, `${state}: ${found.lack}, so no run starts`, found.fix);
  if (freeBytes < leastFreeBytes) return warn(name, `${state}: little room`, 'run flwd gc, or add disk space');
  return ok(name, state);
}

/** Why a server would refuse the data dir. Root may look at the data dir of the user that runs the server. */
async function findRefusal(dataDir: string): Promise<unknown> {
  if (process.geteuid?.() === 0 && (await isForeign(dataDir))) return undefined;
  return assertUsable(dataDir, lockFile).then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Reads the jobs and the database as they are now. */
async function examineStarters(config: Config): Promise<HostCheck[]> {
  // SQLite would create the files beside the database with the same mode, which has to be fixed first.
  if (findUnwritable(config.persistence.dbPath)) return [];
  try {
    return await withLentRoom(config.instance.dataDir, () =>
      withCatalog(config, async (catalog) => {
        const schedules = await examineSchedules(config, catalog);
        return [
          ...(await examineServer(config, { catalog, schedules: schedules.live })),
          ...schedules.checks,
          ...(await examineWebhooks(config, catalog)),
        ];
      }),
    );
  } catch (error) {
    // `examineStored` says that the database is damaged or may not be read, or that there is no room to read it.
    if (damageIn(error) !== undefined || storageProblem(toDatabaseFailure(error))) return [];
    throw error;
  }
}

/** Without a server, schedules and triggers start nothing, and nobody is told. */
async function examineServer(
  config: Config,
  { catalog, schedules }: { readonly catalog: Catalog; readonly schedules: number },
): Promise<HostCheck[]> {
  const { dbPath } = config.persistence;
  const { dataDir } = config.instance;
  if (!existsSync(dbPath) || (await findRefusal(dataDir)) || (await isServed(dataDir))) return [];
  const triggers = catalog
    .entries()
    .reduce((sum, { definition }) => sum + (definition.enabled ? definition.triggers.length : 0), 0);
  const waiting = [
    ...countOf(schedules, 'schedule'),
    ...countOf(triggers, 'trigger'),
    ...countOf(countUnfinishedRuns(dbPath), 'unfinished run'),
  ];
  if (waiting.length === 0) return [];
  const detail = `${noServerWords(readLastServer(dbPath))}; ${waiting.join(', ')} wait for one`;
  return [warn('server', detail, 'start it, with flwd serve or as a service; its log may say why it ended')];
}

function countOf(count: number, what: string): string[] {
  return count === 0 ? [] : [`${count} ${what}${count === 1 ? '' : 's'}`];
}

function noServerWords(last: LastServer | null): string {
  if (last === null) return 'no server is running';
  const at = toTimestamp(last.atMs);
  return last.hasStopped
    ? `no server is running since ${at}`
    : `no server is running; the last one did not stop in order, and was last seen at work at ${at}`;
}

/** Says that there is no server, and since when. */
export function whyNothingIsChecked({ persistence }: Config): string {
  return noServerWords(readLastServer(persistence.dbPath));
}

async function examineSchedules(
  config: Config,
  catalog: Catalog,
): Promise<{ readonly checks: readonly HostCheck[]; readonly live: number }> {
  const { defaultTenant } = config.instance;
  const calendars = new Map(Object.keys(config.scheduler.calendars).map((name) => [name, new Set<string>()]));
  const found = await withMakers(config.persistence.dbPath, async ({ tokens, schedules }) => {
    const [stored, states] = await Promise.all([schedules.all(), schedules.states()]);
    // Nothing here depends on the zone of a schedule.
    const all = [...schedulesOf(catalog, { defaultTenant, timezone: 'UTC' }), ...stored];
    const isHeld = ({ id, held }: Schedule): boolean => states.get(id)?.held ?? held;
    const live = schedulesToStart(all, { clock: systemClock, isHeld });
    const parts = { store: { tokens }, catalog, clock: systemClock, calendars };
    return { checks: await checkSchedules(live, parts), live: live.length };
  });
  return found ?? { checks: [], live: 0 };
}

async function examineWebhooks(config: Config, catalog: Catalog): Promise<HostCheck[]> {
  const { dbPath } = config.persistence;
  const stored = await storedWebhooks(dbPath, systemClock.now() - dayMs);
  const o = { catalog, defaultTenant: config.instance.defaultTenant };
  const made = stored.made.map((one) => ofMade(one, o));
  const seen = await withMakers(dbPath, ({ tokens }) => {
    const parts = { ...o, store: { tokens }, clock: systemClock };
    return Promise.all(made.map(async (one) => (await withPrincipal(one, parts)).webhook));
  });
  return checkWebhooks([...webhooksOfJobs(o), ...(seen ?? made)], stored);
}

function takeoverChecks({ instance: { dataDir } }: Config): HostCheck[] {
  if (!isTakeoverUnfinished(dataDir)) return [];
  const what = 'a takeover from cron was interrupted, so nothing starts its jobs';
  return [warn('takeover', what, 'finish it with flwd takeover, or give the lines back with flwd takeover --undo')];
}

const restoreWords = 'stop the server and restore a backup (flwd restore)';

/** Checks whether the stored data can be read. */
async function examineStored(config: Config): Promise<HostCheck[]> {
  const places = placesOf(config);
  const denied = findUnwritable(places.dbPath);
  if (denied) return [fail('database', denied.detail, denied.fix)];
  try {
    const found = await withLentRoom(places.dataDir, () => examineStore(places));
    if (!found) return [];
    const {
      database,
      isPartial,
      files,
      damaged,
      owners,
      timezone,
      paused,
      late,
      failingTriggers,
      waiting,
      exports,
      kv,
    } = found;
    const size = isPartial ? 'its schema can be read; it is too large for a quick check' : 'quick check passed';
    return [
      database === null
        ? ok('database', size)
        : fail('database', `${places.dbPath} is damaged: ${database}`, restoreWords),
      damaged.length === 0
        ? ok('stored files', `logs and artifacts checked: ${files}; flwd backup reads all of them`)
        : fail('stored files', damaged.join(', '), 'restore a backup (flwd restore) that has them'),
      examineOwners(owners, readOwnerId(places.dataDir)),
      examineTimezone(timezone ?? 'UTC', config.scheduler.timezone),
      ...examinePauses(paused),
      ...examineLate(late),
      ...examineHeartbeats(found.failingHeartbeats),
      ...examineBackfills(found.backfills),
      ...failingTriggers.map((why) => warn('triggers', why, 'run flwd triggers, which says which job')),
      ...examineWaiting(waiting),
      ...examineRefusedCalls(found.refusedCalls),
      ...examineExports(config, exports),
      ...(kv ? [examineKv(kv)] : []),
    ];
  } catch (error) {
    const words = damageIn(error);
    if (words !== undefined) return [fail('database', `${places.dbPath} is damaged: ${words}`, restoreWords)];
    const shortage = storageProblem(toDatabaseFailure(error));
    if (!shortage) throw error;
    return [warn('database', `${places.dbPath} cannot be read at present`, 'free space, or run flwd gc')];
  }
}

/** A pause that somebody forgot looks like schedules that do not work. */
function examinePauses(paused: Examination['paused']): HostCheck[] {
  if (paused.length === 0) return [];
  const which = paused.includes('*') ? 'all schedules are paused' : `paused: the schedules of ${paused.join(', ')}`;
  return [warn('schedules', which, 'run flwd schedules resume --all, for each tenant that is named with --tenant')];
}

function examineLate({ late, missed }: Examination['late']): HostCheck[] {
  const found = [
    ...(late > 0 ? [`${late} late`] : []),
    ...(missed > 0 ? [`${missed} missed by ${missed === 1 ? 'a schedule' : 'schedules'}`] : []),
  ];
  if (found.length === 0) return [];
  return [warn('expected runs', found.join(', '), 'run flwd late, which says which jobs, and why')];
}

function examineHeartbeats(failing: number): HostCheck[] {
  if (failing === 0) return [];
  const what = failing === 1 ? 'the last call of 1 schedule failed' : `the last calls of ${failing} schedules failed`;
  return [warn('heartbeats', what, 'run flwd schedules, which says why')];
}

function examineBackfills({ underWay, failed }: Examination['backfills']): HostCheck[] {
  if (underWay + failed === 0) return [];
  const what = [...(underWay > 0 ? [`${underWay} under way`] : []), ...(failed > 0 ? [`${failed} failed`] : [])];
  if (failed === 0) return [ok('backfills', what.join(', '))];
  return [warn('backfills', what.join(', '), 'run flwd backfills, which says why, and start them again')];
}

function examineWaiting(waiting: Examination['waiting']): HostCheck[] {
  return waiting.map(({ channel, sinceMs, nextAtMs, ...one }) => {
    const words = waitingWords({ ...one, since: toTimestamp(sinceMs), next: toTimestamp(nextAtMs) });
    const cure = `check the receiver, then run flwd notify test ${channel}`;
    return warn('notifications', `${channel}: ${words}`, cure);
  });
}

const mostShown = 5;

function examineRefusedCalls(refused: Examination['refusedCalls']): HostCheck[] {
  if (refused.length === 0) return [];
  const more = refused.length - mostShown;
  const shown = refused.slice(0, mostShown).map(({ jobId, origin }) => `${origin} for ${jobId}`);
  const which = [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
  const what = `not called, because a job of an untrusted source may not reach the address: ${which}`;
  return [warn('notifications', what, 'if the job may call it, add its host to notify.allow in flwd.yaml')];
}

const exportNames: Readonly<Record<Signal, { readonly name: string; readonly dropped: string }>> = {
  traces: { name: 'traces', dropped: 'spans of runs that ended more than a day ago' },
  logs: { name: 'sent logs', dropped: 'lines that were printed more than a day ago' },
};

function examineExports(config: Config, states: Examination['exports']): HostCheck[] {
  const { collector } = config;
  // `checkCollector` says which secret is missing.
  if (!collector || checkCollector(config).length > 0) return [];
  const { origin } = new URL(collector.endpoint);
  return collector.signals.map((signal) => {
    const { name, dropped } = exportNames[signal];
    const state = states[signal];
    if (state === null) return ok(name, `to ${origin}; no server has started with it yet`);
    const { sentAtMs, failedAtMs, error } = state;
    const last = sentAtMs === null ? 'nothing was sent yet' : `last sent at ${toTimestamp(sentAtMs)}`;
    if (error === null) return ok(name, `to ${origin}; ${last}`);
    const at = failedAtMs === null ? '' : ` at ${toTimestamp(failedAtMs)}`;
    const cure = `check the collector and telemetry.otlp; ${dropped} are dropped`;
    return warn(name, `to ${origin}; ${last}; the last request failed${at}: ${error}`, cure);
  });
}

/** An instance keeps the zone in which it was made; one from before it had a zone keeps UTC. */
function examineTimezone(kept: string, set: string | null): HostCheck {
  const name = 'time zone';
  const host = localTimezone();
  if (set !== null) return ok(name, `${set} (scheduler.timezone) for schedules without a time zone`);
  if (kept === host) return ok(name, `${kept} for schedules without a time zone`);
  const detail = `${kept} for schedules without a time zone, because the instance began with it; the host is in ${host}`;
  return warn(name, detail, `set scheduler.timezone to ${host}, or to ${kept} if that is meant`);
}

const nearlyFull = 0.9;
const dayMs = 86_400_000;

/** The owners of the running runs. Another server may share the database (ADR 0039). */
function examineOwners(owners: Examination['owners'], ownId: string | undefined): HostCheck {
  const others = owners.filter(({ owner, host }) => owner !== ownId && host !== null);
  const hosts = [...new Set(others.map(({ host }) => host))].join(', ');
  const ofOthers = others.length === 0 ? '' : `, ${countRuns(others)} of other servers (${hosts})`;
  const own = countRuns(owners) - countRuns(others);
  return ok('owner', `${ownId ?? 'the next start creates an id'}; running runs: ${own} for this data dir${ofOthers}`);
}

/** Says in time that jobs will soon be unable to store more. */
function examineKv({ keys, largest }: NonNullable<Examination['kv']>): HostCheck {
  const { namespaceBytes, keys: mostKeys } = kvLimits;
  const detail =
    `${keys} of ${mostKeys} keys; the largest namespace, ${largest.namespace}, ` +
    `has ${formatSize(largest.bytes)} of ${formatSize(namespaceBytes)}`;
  const isNearlyFull = keys > mostKeys * nearlyFull || largest.bytes > namespaceBytes * nearlyFull;
  const cure = 'delete keys that are no longer needed (flwd kv list), or have jobs store them with --ttl';
  return isNearlyFull ? warn('key-value store', detail, cure) : ok('key-value store', detail);
}

function countRuns(owners: Examination['owners']): number {
  return owners.reduce((sum, { runs }) => sum + runs, 0);
}

/** The operator's files that a server needs to start. Creates none of them. */
export async function examineFiles(config: Config): Promise<HostCheck[]> {
  const { server, auth, persistence, instance, notify } = config;
  const parts = {
    clock: systemClock,
    log: createLogger({ format: 'json', level: 'silent' }),
    defaultTenant: instance.defaultTenant,
  };
  const { tls } = server;
  const { jwt } = auth;
  return [
    checkSecretKey(persistence),
    ...(notify.channels.length > 0 ? [await checkChannels(notify, { persistence, instance })] : []),
    ...checkCollector(config),
    ...(await checkCalendars(config.scheduler.calendars)),
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
      `${secretKeyFile} does not exist, and the database cannot be read`,
      'run flwd as the owner of both',
    );
  }
  if (isMissing && secrets === 0) return ok(name, `${secretKeyFile} does not exist yet; the first start creates it`);
  if (isMissing)
    return fail(
      name,
      `${secretKeyFile} does not exist, but the database holds secrets encrypted with it (${secrets}); no server can start`,
      'restore the file, or set FLWD_SECRET_KEY; if the key is lost, write a new key to the file and set the secrets again',
    );
  try {
    const { keys, origin } = openKeyring(secretKeyFile, secretKey);
    if (origin !== 'file') return ok(name, `FLWD_SECRET_KEY, keys: ${keys.length}`);
    const state = `${secretKeyFile}, keys: ${keys.length}`;
    const stats = statSync(secretKeyFile);
    if (!isOpenToAll(stats)) return ok(name, state);
    return warn(name, `${state}: ${openKeyWords} (mode ${showMode(stats)})`, `chmod 600 ${secretKeyFile}`);
  } catch (error) {
    return failureOf(name, error);
  }
}

/** A secret may be stored while the server runs, so one that is missing keeps no server from starting. */
async function checkChannels(
  { channels, smtp }: Config['notify'],
  { persistence, instance }: Pick<Config, 'persistence' | 'instance'>,
): Promise<HostCheck> {
  const name = 'channels';
  // Expressions take longer to load than everything else that an operator's command needs.
  const { assertChannels } = await import('./notify/channels.ts');
  try {
    assertChannels(channels);
  } catch (error) {
    return failureOf(name, error);
  }
  const secretsFor = (channel: Channel) => secretsOfChannel(channel, smtp);
  const named = channels.flatMap(secretsFor);
  const missing = missingSecrets(named, { persistence, instance });
  if (missing.length === 0) return ok(name, channels.map((channel) => channel.name).join(', '));
  const using = channels.filter((channel) => secretsFor(channel).some((one) => missing.includes(one)));
  return warn(
    name,
    `${using.map((channel) => channel.name).join(', ')} cannot send: these secrets are not stored: ${missing.join(', ')}`,
    missing.map((one) => `flwd secrets set ${one}`).join(', '),
  );
}

/** Empty when the database may not be read: `examineStored` says why. */
function missingSecrets(
  named: readonly string[],
  { persistence: { dbPath }, instance }: Pick<Config, 'persistence' | 'instance'>,
): string[] {
  if (named.length === 0 || findUnwritable(dbPath)) return [];
  const stored = storedSecrets(dbPath, instance.defaultTenant);
  return [...new Set(named)].filter((one) => !stored.includes(one));
}

function checkCollector({ collector, persistence, instance }: Config): HostCheck[] {
  const named = secretsIn(Object.values(collector?.headers ?? {}));
  const missing = missingSecrets(named, { persistence, instance });
  if (missing.length === 0) return [];
  const detail = `telemetry.otlp.headers cannot be sent: these secrets are not stored: ${missing.join(', ')}`;
  return [warn('collector', detail, missing.map((one) => `flwd secrets set ${one}`).join(', '))];
}

async function checkCalendars(calendars: Config['scheduler']['calendars']): Promise<HostCheck[]> {
  const name = 'calendars';
  const nowMs = systemClock.now();
  const today = new Date(nowMs).toISOString().slice(0, 10);
  const bad: HostCheck[] = [];
  for (const [calendar, days] of Object.entries(calendars)) {
    try {
      const read = await readCalendar(calendar, days, nowMs);
      if ([...read].some((day) => day >= today)) continue;
      const detail = `${calendar} has no days from now on, so \`except: ${calendar}\` leaves out no day`;
      const place = 'file' in days ? days.file : `scheduler.calendars.${calendar}`;
      bad.push(warn(name, detail, `put the days to come into ${place}, and restart the server`));
    } catch (error) {
      bad.push(failureOf(name, error));
    }
  }
  const names = Object.keys(calendars);
  return bad.length > 0 || names.length === 0 ? bad : [ok(name, names.join(', '))];
}

async function checkFile(name: string, path: string, open: () => unknown): Promise<HostCheck> {
  try {
    await open();
    return ok(name, path);
  } catch (error) {
    return failureOf(name, error);
  }
}

/** Splits the error of a start into what is wrong and how to fix it. */
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
