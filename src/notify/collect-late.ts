// Turns late runs, missing successes and missed times into notifications, by the current rules. The same transaction
// marks each of them as reported, so each is reported once (ADR 0073).

import { setTimeout as delay } from 'node:timers/promises';
import { type Catalog, type CatalogEntry, entryOrNone, folderOrNone } from '../catalog/catalog.ts';
import { type ChannelRule, type NotifyRule, rulesFor } from '../domain/notification.ts';
import type { Late } from '../domain/outcome/late.ts';
import { notifyRefusal } from '../domain/policy.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { createWakeSignal } from '../lib/wake-signal.ts';
import type { Store } from '../store/open.ts';
import { isStorageError } from '../store/storage-error.ts';
import { decideLate } from './to-notifications.ts';

const atOnce = 100;
const againMs = 1_000;

export type LateNotices = {
  readonly catalog: Catalog;
  readonly rules: readonly ChannelRule[];
  /** Calls the listener when something is late. */
  readonly onSeen: (listener: () => void) => void;
};

/** Resolves when the signal is aborted and nothing is being written. */
export async function collectLate(
  o: LateNotices & {
    readonly store: Pick<Store, 'db' | 'late' | 'notifications' | 'runs'>;
    readonly clock: Clock;
    readonly log: Logger;
    readonly onAdded: () => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const { store, clock, log } = o;
  const wake = createWakeSignal(signal);
  o.onSeen(wake.raise);

  async function tell(late: Late): Promise<void> {
    const nowMs = clock.now();
    const found = entryOrNone(late.jobId, o.catalog) ?? (await lastValid(late, o));
    const job = found?.definition;
    const own: readonly NotifyRule[] = found && job && !notifyRefusal(job, found.source) ? job.notify : [];
    const rules = rulesFor(late.jobId, own, o.rules);
    const lastTold = await store.late.lastTold(late);
    const digests = new Map(await store.notifications.openDigests(nowMs));
    const { added, told } = decideLate(late, rules, { title: job?.title ?? null, nowMs, lastTold, digests });
    await store.db.transact(async (tx) => {
      await store.notifications.add(tx, added);
      await store.late.setTold(tx, late, told);
    });
    if (added.length > 0) o.onAdded();
  }

  while (!signal.aborted) {
    try {
      const untold = await store.late.untold(atOnce);
      // The rules of jobs are not known until the sources have been read.
      if (untold.length > 0 && !o.catalog.isReady) {
        await delay(againMs, undefined, { signal });
        continue;
      }
      for (const late of untold) await tell(late);
      if (untold.length < atOnce) await wake.raised();
    } catch (error) {
      if (signal.aborted) break;
      if (!isStorageError(error)) log.error({ err: error }, 'notifications of late runs could not be created');
      await delay(againMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** While a job is broken, its newest run has the last known rules. */
async function lastValid(
  late: Late,
  { catalog, store }: { readonly catalog: Catalog; readonly store: Pick<Store, 'runs'> },
): Promise<Pick<CatalogEntry, 'definition' | 'source'> | undefined> {
  if (!catalog.isBroken(late.jobId)) return undefined;
  const folder = folderOrNone(late.jobId, catalog);
  const definition = folder && (await store.runs.lastJob(late));
  return definition && { definition, source: folder.source };
}
