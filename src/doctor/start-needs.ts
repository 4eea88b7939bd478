// Checks what a server needs to start: its data dir, and the files of the operator. Changes nothing.

import { existsSync, statSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import type { Config } from '../config/config.ts';
import { fail, type HostCheck, ok, warn } from '../domain/host-check.ts';
import { type Channel, secretsIn, secretsOfChannel } from '../domain/notification.ts';
import { openKeyring, openKeyWords } from '../engine/secrets/keyring.ts';
import { assertUsable, findDenied, findUncreatable, isForeign } from '../instance/data-dir.ts';
import { lockFile } from '../instance/owner-lock.ts';
import { assertRestored } from '../instance/unfinished-restore.ts';
import { systemClock } from '../lib/clock.ts';
import { readCalendar } from '../lib/cron/calendars.ts';
import { findLackOfRoom } from '../lib/files/disk-room.ts';
import { isOpenToAll, showMode } from '../lib/files/file-owner.ts';
import { folderTrouble } from '../lib/files/readable-folder.ts';
import { findUnusableFolder } from '../lib/files/unusable-folder.ts';
import { createLogger } from '../lib/logger.ts';
import { StartError } from '../lib/start-error.ts';
import { sizeWords } from '../lib/units.ts';
import { openJwtVerifier } from '../server/admission/open-jwt-verifier.ts';
import { openTlsCertificate } from '../server/tls.ts';
import { countSecrets, storedSecrets } from '../store/sqlite/offline.ts';
import { findUnwritable } from '../store/sqlite/sqlite-files.ts';

/** Checks the files of the operator that a server needs to start. Creates none of them. */
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
    ...(notify.channels.length > 0 ? [await checkChannels(config)] : []),
    ...checkCollector(config),
    ...checkPaths(config.security.paths),
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

/**
 * Checks the channels. A missing secret is only a warning: a server starts without it, because the secret may be stored
 * while the server runs.
 */
async function checkChannels(config: Pick<Config, 'notify' | 'persistence' | 'instance'>): Promise<HostCheck> {
  const name = 'channels';
  const { channels } = config.notify;
  // Expressions take longer to load than everything else that an operator's command needs.
  const { assertChannels } = await import('../notify/channels.ts');
  try {
    assertChannels(channels);
  } catch (error) {
    return failureOf(name, error);
  }
  const { lacking, missing } = channelsWithoutSecrets(config);
  if (missing.length === 0) return ok(name, channels.map((channel) => channel.name).join(', '));
  return warn(
    name,
    `${lacking.join(', ')} cannot send, because these secrets are not stored: ${missing.join(', ')}`,
    missing.map((one) => `flwd secrets set ${one}`).join(', '),
  );
}

/** The names of the channels that lack a secret, and the names of these secrets. */
export function channelsWithoutSecrets({
  notify: { channels, smtp },
  ...places
}: Pick<Config, 'notify' | 'persistence' | 'instance'>) {
  const secretsFor = (channel: Channel) => secretsOfChannel(channel, smtp);
  const missing = missingSecrets(channels.flatMap(secretsFor), places);
  const lacking = channels.filter((channel) => secretsFor(channel).some((one) => missing.includes(one)));
  return { lacking: lacking.map(({ name }) => name), missing };
}

/** Empty if this user may not read the database. Then `examineStored` says why. */
function missingSecrets(
  named: readonly string[],
  { persistence: { dbPath }, instance }: Pick<Config, 'persistence' | 'instance'>,
): string[] {
  if (named.length === 0 || findUnwritable(dbPath)) return [];
  const stored = storedSecrets(dbPath, instance.defaultTenant);
  return [...new Set(named)].filter((one) => !stored.includes(one));
}

export function checkCollector({ collector, persistence, instance }: Config): HostCheck[] {
  const named = secretsIn(Object.values(collector?.headers ?? {}));
  const missing = missingSecrets(named, { persistence, instance });
  if (missing.length === 0) return [];
  const detail = `telemetry.otlp.headers cannot be sent, because these secrets are not stored: ${missing.join(', ')}`;
  return [warn('collector', detail, missing.map((one) => `flwd secrets set ${one}`).join(', '))];
}

/** A missing folder is only a warning, because it may be mounted later. */
function checkPaths(paths: readonly string[]): HostCheck[] {
  return paths
    .filter((path) => folderTrouble(path) === 'missing')
    .map((path) =>
      warn('paths', `${path} in security.paths does not exist`, 'create it, or correct security.paths in flwd.yaml'),
    );
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
      const detail = `${calendar} has no day from today on, so \`except: ${calendar}\` leaves out no day`;
      const place = 'file' in days ? days.file : `scheduler.calendars.${calendar}`;
      bad.push(warn(name, detail, `add the coming days to ${place}, and restart the server`));
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
export function failureOf(name: string, error: unknown): HostCheck {
  if (!(error instanceof StartError)) throw error;
  const [detail = '', ...fix] = error.message.split('; ');
  return fail(name, detail, fix.join('; ') || null);
}

const leastFreeBytes = 2 ** 30;

/**
 * Whether a server can use the data dir as it is.
 * @param folders its folders, some of which may be elsewhere
 */
export async function checkDataDir(dataDir: string, folders: readonly string[]): Promise<HostCheck> {
  const name = 'data dir';
  const isMissing = !existsSync(dataDir) && !findDenied(dataDir, dataDir);
  const refusal = isMissing ? await findUncreatable(dataDir) : await findRefusal(dataDir);
  if (refusal) return failureOf(name, refusal);
  if (isMissing) return ok(name, `${dataDir} does not exist yet; the first start creates it`);
  const { mode, uid } = await stat(dataDir);
  const { bavail, bsize } = await statfs(dataDir);
  const freeBytes = bavail * bsize;
  const state = `${dataDir}, mode ${(mode & 0o777).toString(8)}, ${sizeWords(freeBytes)} free`;
  if ((mode & 0o077) !== 0) return warn(name, `${state}: other users can open it`, `chmod 700 ${dataDir}`);
  if (uid !== process.geteuid?.())
    return warn(name, `${state}: it belongs to another user (uid ${uid})`, 'run flwd as its owner');
  const found = findUnusableFolder(folders) ?? findLackOfRoom(dataDir);
  if (found) return fail(name, `${state}: ${found.lack}, so no run starts`, found.fix);
  if (freeBytes < leastFreeBytes) return warn(name, `${state}: little space left`, 'run flwd gc, or add disk space');
  return ok(name, state);
}

/**
 * Returns why a server would refuse the data dir; undefined if it would not. If root examines the data dir of another
 * user, returns undefined, because the server may run as that user.
 */
export async function findRefusal(dataDir: string): Promise<unknown> {
  if (process.geteuid?.() === 0 && (await isForeign(dataDir))) return undefined;
  try {
    await assertUsable(dataDir, lockFile);
    assertRestored(dataDir);
    return undefined;
  } catch (error) {
    return error;
  }
}
