// Checks what starts runs: the server, schedules and webhooks. Says what keeps them from starting runs.

import { existsSync } from 'node:fs';
import { type Catalog, definitionOf } from '../catalog/catalog.ts';
import type { Config } from '../config/config.ts';
import { type HostCheck, warn } from '../domain/host-check.ts';
import type { Schedule } from '../domain/schedule.ts';
import { checkSchedules, schedulesToStart } from '../engine/schedule/schedule-check.ts';
import { schedulesOf } from '../engine/schedule/schedule-list.ts';
import { type Trigger, triggersIn, triggersToStart } from '../engine/trigger/trigger-parts.ts';
import { ofMade, webhooksOfJobs, withPrincipal } from '../engine/webhook/find-webhook.ts';
import { checkWebhooks } from '../engine/webhook/webhook-check.ts';
import type { Webhook } from '../engine/webhook/webhook-parts.ts';
import { isServed, lastSignAtMs } from '../instance/owner-lock.ts';
import { systemClock, toTimestamp } from '../lib/clock.ts';
import {
  countUnfinishedRuns,
  readLastServer,
  type StoredWebhooks,
  storedWebhooks,
  withMakers,
} from '../store/sqlite/offline.ts';
import { findRefusal } from './start-needs.ts';
import { checkSecrets, type Start } from './start-secrets.ts';

/** A delivery that was refused longer ago than this is not reported. */
const seenWithinMs = 86_400_000;

/** Reads the jobs and the database as they are now. */
export async function examineStarters(config: Config, catalog: Catalog): Promise<HostCheck[]> {
  const { defaultTenant } = config.instance;
  const schedules = await examineSchedules(config, catalog);
  const stored = await storedWebhooks(config.persistence.dbPath, systemClock.now() - seenWithinMs);
  const webhooks = await examineWebhooks(config, { catalog, stored });
  const starts: Start[] = [
    ...schedules.live.map((one) => ({ ...one, kind: 'schedule' }) as const),
    ...triggersToStart(catalog).map((one) => ({ ...one, kind: 'trigger', tenant: defaultTenant }) as const),
    ...webhooks.open
      .filter(({ jobId }) => definitionOf(jobId, catalog)?.enabled)
      .map((one) => ({ ...one, kind: 'webhook' }) as const),
  ];
  return [
    ...(await examineServer(config, { catalog, schedules: schedules.live.length })),
    ...schedules.checks,
    ...webhooks.checks,
    ...checkSecrets(starts, { catalog, stored: stored.secrets, defaultTenant }),
  ];
}

/** The triggers of the jobs that are enabled. */
function triggersOf(catalog: Catalog): Trigger[] {
  return triggersIn(catalog).filter(({ jobId }) => definitionOf(jobId, catalog)?.enabled);
}

/** Checks the server. Without a server, schedules and triggers start nothing, and no notifications are sent. */
async function examineServer(
  config: Config,
  { catalog, schedules }: { readonly catalog: Catalog; readonly schedules: number },
): Promise<HostCheck[]> {
  const { dbPath } = config.persistence;
  const { dataDir } = config.instance;
  if (!existsSync(dbPath) || (await findRefusal(dataDir)) || (await isServed(dataDir))) return [];
  const triggers = triggersOf(catalog).length;
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
): Promise<{ readonly checks: readonly HostCheck[]; readonly live: readonly Schedule[] }> {
  const { defaultTenant } = config.instance;
  const calendars = new Map(Object.keys(config.scheduler.calendars).map((name) => [name, new Set<string>()]));
  const found = await withMakers(config.persistence.dbPath, async ({ tokens, schedules }) => {
    const [stored, states] = await Promise.all([schedules.all(), schedules.states()]);
    // The check does not depend on the time zone of a schedule.
    const all = [...schedulesOf(catalog, { defaultTenant, timezone: 'UTC' }), ...stored];
    const isHeld = ({ id, held }: Schedule): boolean => states.get(id)?.held ?? held;
    const live = schedulesToStart(all, { clock: systemClock, isHeld });
    const parts = { store: { tokens }, catalog, clock: systemClock, calendars };
    return { checks: await checkSchedules(live, parts), live };
  });
  return found ?? { checks: [], live: [] };
}

async function examineWebhooks(
  config: Config,
  { catalog, stored }: { readonly catalog: Catalog; readonly stored: StoredWebhooks },
): Promise<{ readonly checks: readonly HostCheck[]; readonly open: readonly Webhook[] }> {
  const { dbPath } = config.persistence;
  const o = { catalog, defaultTenant: config.instance.defaultTenant };
  const made = stored.made.map((one) => ofMade(one, o));
  const seen = await withMakers(dbPath, ({ tokens }) => {
    // If all webhooks are paused, another line says so.
    const parts = { ...o, store: { tokens }, clock: systemClock, triggersPaused: false };
    return Promise.all(made.map(async (one) => (await withPrincipal(one, parts)).webhook));
  });
  const webhooks = [...webhooksOfJobs(o), ...(seen ?? made)];
  return { checks: checkWebhooks(webhooks, stored), open: webhooks.filter(({ denied }) => !denied) };
}
