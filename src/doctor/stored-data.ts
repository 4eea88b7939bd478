// Checks whether the stored data of an instance can be read. Reports what is wrong or forgotten in it, such as damaged
// files, paused schedules, or notifications that could not be sent.

import { existsSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import { type Complaint, complain, fail, type HostCheck, ok, warn } from '../domain/host-check.ts';
import { kvLimits } from '../domain/kv.ts';
import { waitingWords } from '../domain/notification.ts';
import { withLentRoom } from '../instance/disk-reserve.ts';
import { readOwnerId } from '../instance/owner-id.ts';
import { unfinishedRestoreFile } from '../instance/unfinished-restore.ts';
import { systemClock, toTimestamp } from '../lib/clock.ts';
import { listSome } from '../lib/list-some.ts';
import { StartError } from '../lib/start-error.ts';
import { localTimezone } from '../lib/timezone.ts';
import { sizeWords } from '../lib/units.ts';
import type { Places } from '../store/backup/backup.ts';
import { leftIn } from '../store/backup/restore-swap.ts';
import type { Signal } from '../store/exports.ts';
import { type Examination, examineStore } from '../store/sqlite/examine.ts';
import { damageIn, findUnwritable, toDatabaseFailure } from '../store/sqlite/sqlite-files.ts';
import { storageProblem } from '../store/storage-error.ts';
import { channelsWithoutSecrets, checkCollector, failureOf } from './start-needs.ts';

const restoreWords = 'stop the server and restore a backup (flwd restore)';

/** Checks whether the stored data can be read. */
export async function examineStored(config: Config, places: Places): Promise<HostCheck[]> {
  // After an unfinished restore, `checkDataDir` says what to do.
  if (existsSync(unfinishedRestoreFile(places.dataDir))) return [];
  const denied = findUnwritable(places.dbPath);
  if (denied) return [fail('database', denied.detail, denied.fix)];
  try {
    const found = await withLentRoom(places.dataDir, () => examineStore(places));
    if (!found) return examineEmpty(places);
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
        : fail('stored files', listSome(damaged), 'restore a backup (flwd restore) that has them'),
      examineOwners(owners, readOwnerId(places.dataDir)),
      ...examineQueue(found.queue),
      examineTimezone(timezone ?? 'UTC', config.scheduler.timezone),
      ...examinePauses(paused),
      ...examineLate(late),
      ...examineHeartbeats(found.failingHeartbeats),
      ...examineBackfills(found.backfills),
      ...failingTriggers.map((why) => warn('triggers', why, 'run flwd triggers, which says which job')),
      ...examineWaiting(config, waiting),
      ...examineRefusedCalls(found.refusedCalls),
      ...examineExports(config, exports),
      ...(kv ? [examineKv(kv)] : []),
    ];
  } catch (error) {
    if (error instanceof StartError) return [failureOf('database', error)];
    const words = damageIn(error);
    if (words !== undefined) return [fail('database', `${places.dbPath} is damaged: ${words}`, restoreWords)];
    const shortage = storageProblem(toDatabaseFailure(error));
    if (!shortage) throw error;
    return [warn('database', `${places.dbPath} cannot be read at present`, 'free space, or run flwd gc')];
  }
}

function examineEmpty({ dbPath }: Places): HostCheck[] {
  if (!existsSync(dbPath)) return [];
  return [ok('database', `${dbPath} has no tables of flwd yet; the first start creates them`)];
}

/** Reports the copies that an interrupted restore has left, because they take as much room as the data. */
export function examineLeft(places: Places): HostCheck[] {
  const left = leftIn(places);
  if (left.length === 0 || existsSync(unfinishedRestoreFile(places.dataDir))) return [];
  const fix = 'unless flwd restore is running, remove them; the next flwd restore removes them, too';
  return [warn('restore', `left by a restore that was interrupted: ${left.join(', ')}`, fix)];
}

const manyWait = 1_000;
const longWaitMs = 3_600_000;

function examineQueue(queue: Examination['queue']): HostCheck[] {
  if (queue === null) return [];
  const { runs, first } = queue;
  const [wait, which] = runs === 1 ? ['run waits', ''] : ['runs wait', ', the first'];
  const why = first.why === null ? '' : `: ${first.why}`;
  const since = `since ${toTimestamp(first.sinceMs)}`;
  const detail = `${runs.toLocaleString('en')} ${wait}${which} ${since} (${first.id} of ${first.jobId})${why}`;
  if (runs <= manyWait && systemClock.now() - first.sinceMs <= longWaitMs) return [ok('queue', detail)];
  const fix = 'flwd runs --status pending lists them, and flwd cancel --status pending cancels them';
  return [warn('queue', detail, `${fix}; add --job JOB for those of one job`)];
}

/** Reports pauses. If somebody forgot a pause, the schedules look as if they did not work. */
function examinePauses(paused: Examination['paused']): HostCheck[] {
  if (paused.length === 0) return [];
  const which = paused.includes('*') ? 'all schedules are paused' : `paused: the schedules of ${paused.join(', ')}`;
  const fix = paused.includes('*')
    ? 'run flwd schedules resume --all'
    : 'run flwd schedules resume --all --tenant TENANT for each of these tenants';
  return [warn('schedules', which, fix)];
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
  const what =
    failing === 1 ? 'the last heartbeat of 1 schedule failed' : `the last heartbeats of ${failing} schedules failed`;
  return [warn('heartbeats', what, 'run flwd schedules, which says why')];
}

function examineBackfills({ underWay, failed }: Examination['backfills']): HostCheck[] {
  if (underWay + failed === 0) return [];
  const what = [...(underWay > 0 ? [`${underWay} under way`] : []), ...(failed > 0 ? [`${failed} failed`] : [])];
  if (failed === 0) return [ok('backfills', what.join(', '))];
  return [warn('backfills', what.join(', '), 'run flwd backfills, which says why, and start them again')];
}

/**
 * Reports notifications that have not been sent yet. Leaves out channels whose secret is missing, because another check
 * reports them and says what to do.
 */
function examineWaiting(config: Config, waiting: Examination['waiting']): HostCheck[] {
  const { lacking } = channelsWithoutSecrets(config);
  const name = 'notifications';
  const ofChannels: HostCheck[] = [];
  const ofJobs: Complaint[] = [];
  for (const { channel, origin, jobId, sinceMs, nextAtMs, ...one } of waiting) {
    const words = waitingWords({ ...one, since: toTimestamp(sinceMs), next: toTimestamp(nextAtMs) });
    if (channel === null) {
      const fix = 'check the receiver, or correct notify.webhook in the config.yaml of the job';
      ofJobs.push({ what: `${origin} for ${jobId}: ${words}`, fix });
    } else if (!lacking.includes(channel))
      ofChannels.push(warn(name, `${channel}: ${words}`, `check the receiver, then run flwd notify test ${channel}`));
  }
  return [...ofChannels, ...complain(name, ofJobs)];
}

function examineRefusedCalls(refused: Examination['refusedCalls']): HostCheck[] {
  if (refused.length === 0) return [];
  const which = listSome(refused.map(({ jobId, origin }) => `${origin} for ${jobId}`));
  const what = `not called, because a job of an untrusted source may not reach the address: ${which}`;
  return [warn('notifications', what, 'if the job may call it, add its host to notify.allow in flwd.yaml')];
}

const exportNames: Readonly<Record<Signal, { readonly name: string; readonly dropped: string }>> = {
  traces: { name: 'traces', dropped: 'spans of runs that ended more than a day ago' },
  logs: { name: 'sent logs', dropped: 'lines that were printed more than a day ago' },
};

function examineExports(config: Config, states: Examination['exports']): HostCheck[] {
  const { collector } = config;
  // If a secret is missing, `checkCollector` names it.
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
    const fix = `check the collector and telemetry.otlp; ${dropped} are dropped`;
    return warn(name, `to ${origin}; ${last}; the last request failed${at}: ${error}`, fix);
  });
}

/**
 * Reports the time zone. An instance keeps the time zone in which it was created. An instance that was created before
 * flwd stored a time zone keeps UTC.
 */
function examineTimezone(kept: string, set: string | null): HostCheck {
  const name = 'time zone';
  const host = localTimezone();
  if (set !== null) return ok(name, `${set} (scheduler.timezone) for schedules without a time zone`);
  if (kept === host) return ok(name, `${kept} for schedules without a time zone`);
  const detail = `${kept} for schedules without a time zone, because the instance was created with it; the host is in ${host}`;
  return warn(name, detail, `set scheduler.timezone to ${host}, or to ${kept} to keep it`);
}

const nearlyFull = 0.9;

/** Reports which servers own the running runs, because other servers may share the database (ADR 0039). */
function examineOwners(owners: Examination['owners'], ownId: string | undefined): HostCheck {
  const others = owners.filter(({ owner, host }) => owner !== ownId && host !== null);
  const hosts = [...new Set(others.map(({ host }) => host))].join(', ');
  const ofOthers = others.length === 0 ? '' : `, ${countRuns(others)} of other servers (${hosts})`;
  const own = countRuns(owners) - countRuns(others);
  const id =
    ownId === undefined ? 'the next start creates an id for this data dir' : `the id of this data dir is ${ownId}`;
  return ok('owner', `running runs: ${own} of this data dir${ofOthers}; ${id}`);
}

/** Warns when the key-value store is nearly full, because jobs cannot add anything to a full store. */
function examineKv({ keys, largest }: NonNullable<Examination['kv']>): HostCheck {
  const { namespaceBytes, keys: mostKeys } = kvLimits;
  const detail =
    `${keys} of ${mostKeys} keys; the largest namespace, ${largest.namespace}, ` +
    `has ${sizeWords(largest.bytes)} of ${sizeWords(namespaceBytes)}`;
  const isNearlyFull = keys > mostKeys * nearlyFull || largest.bytes > namespaceBytes * nearlyFull;
  const fix = 'delete keys that are no longer needed (flwd kv list), or have jobs store them with --ttl';
  return isNearlyFull ? warn('key-value store', detail, fix) : ok('key-value store', detail);
}

function countRuns(owners: Examination['owners']): number {
  return owners.reduce((sum, { runs }) => sum + runs, 0);
}
