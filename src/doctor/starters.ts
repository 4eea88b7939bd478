// Checks what starts runs: the server, schedules and webhooks. Says what keeps them from starting runs.

import { existsSync } from 'node:fs';
import type { Catalog } from '../catalog/catalog.ts';
import type { Config } from '../config/config.ts';
import { type HostCheck, warn } from '../domain/host-check.ts';
import type { Schedule } from '../domain/schedule.ts';
import { checkSchedules, schedulesToStart } from '../engine/schedule/schedule-check.ts';
import { schedulesOf } from '../engine/schedule/schedule-list.ts';
import { ofMade, webhooksOfJobs, withPrincipal } from '../engine/webhook/find-webhook.ts';
import { checkWebhooks } from '../engine/webhook/webhook-check.ts';
import { isServed, lastSignAtMs } from '../instance/owner-lock.ts';
import { systemClock, toTimestamp } from '../lib/clock.ts';
import { countUnfinishedRuns, readLastServer, storedWebhooks, withMakers } from '../store/sqlite/offline.ts';
import { findRefusal } from './start-needs.ts';

/** A delivery that was refused longer ago than this is not reported. */
const seenWithinMs = 86_400_000;

/** Reads the jobs and the database as they are now. */
export async function examineStarters(config: Config, catalog: Catalog): Promise<HostCheck[]> {
  const schedules = await examineSchedules(config, catalog);
  return [
    ...(await examineServer(config, { catalog, schedules: schedules.live })),
    ...schedules.checks,
    ...(await examineWebhooks(config, catalog)),
  ];
}

/** Checks the server. Without a server, schedules and triggers start nothing, and no notifications are sent. */
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
  const runs = countUnfinishedRuns(dbPath);
  const waiting = [
    ...countOf(schedules, 'schedule'),
    ...countOf(triggers, 'trigger'),
    ...countOf(runs, 'unfinished run'),
  ];
  if (waiting.length === 0) return [];
  const detail = `${whyNothingIsChecked(config)}; ${waiting.join(', ')} ${schedules + triggers + runs === 1 ? 'waits' : 'wait'} for a server`;
  return [
    warn(
      'server',
      detail,
      'start the server, with flwd serve or as a service; if it ended by itself, its log may say why',
    ),
  ];
}

function countOf(count: number, what: string): string[] {
  return count === 0 ? [] : [`${count} ${what}${count === 1 ? '' : 's'}`];
}

/** Says that there is no server, and since when. */
export function whyNothingIsChecked({ instance: { dataDir }, persistence: { dbPath } }: Config): string {
  const last = readLastServer(dbPath);
  if (last === null) return 'no server is running';
  if (last.hasStopped) return `no server has been running since ${toTimestamp(last.atMs)}`;
  const seenAtMs = Math.max(last.atMs, lastSignAtMs(dataDir) ?? 0);
  return `no server is running; the last one did not shut down properly and was alive at ${toTimestamp(seenAtMs)} or later`;
}

async function examineSchedules(
  config: Config,
  catalog: Catalog,
): Promise<{ readonly checks: readonly HostCheck[]; readonly live: number }> {
  const { defaultTenant } = config.instance;
  const calendars = new Map(Object.keys(config.scheduler.calendars).map((name) => [name, new Set<string>()]));
  const found = await withMakers(config.persistence.dbPath, async ({ tokens, schedules }) => {
    const [stored, states] = await Promise.all([schedules.all(), schedules.states()]);
    // The check does not depend on the time zone of a schedule.
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
  const stored = await storedWebhooks(dbPath, systemClock.now() - seenWithinMs);
  const o = { catalog, defaultTenant: config.instance.defaultTenant };
  const made = stored.made.map((one) => ofMade(one, o));
  const seen = await withMakers(dbPath, ({ tokens }) => {
    // If all webhooks are paused, another line says so.
    const parts = { ...o, store: { tokens }, clock: systemClock, triggersPaused: false };
    return Promise.all(made.map(async (one) => (await withPrincipal(one, parts)).webhook));
  });
  return checkWebhooks([...webhooksOfJobs(o), ...(seen ?? made)], stored);
}
