// Removes each kind of old data in steps of a hundred rows, with a pause after each step (ADR 0013).

import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { oldSnapshots, removeSnapshot, removeUnfinishedSnapshots } from '../../catalog/source/snapshot-removal.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Store } from '../../store/open.ts';
import type { OldRun } from '../../store/retention.ts';
import type { StatsBefore } from '../../store/stats/remove-stats.ts';
import { keepWorkspace, removeRunFolder } from '../run/run-folders.ts';

/** How many rows of each kind were removed, and how many bytes in files and in the database. */
export type Removed = ReturnType<typeof nothingRemoved>;

export function nothingRemoved() {
  return {
    events: 0,
    logs: 0,
    artifacts: 0,
    runs: 0,
    workspaces: 0,
    snapshots: 0,
    leftovers: 0,
    audit: 0,
    kv_keys: 0,
    stats: 0,
    file_bytes: 0,
    database_bytes: 0,
  };
}

export function countOf(removed: Removed): number {
  return Object.values(removed).reduce((total, count) => total + count, 0);
}

export type Rest = {
  /** Pauses between two steps. */
  (): Promise<void>;
  /** Whether no further step may start. */
  readonly isOver: () => boolean;
};

/** What must stay because runs that have not ended need it. */
export type Held = {
  readonly parents: ReadonlySet<string>;
  readonly revisions: Set<string>;
  readonly outputEvents: readonly number[];
};

export type StepContext = {
  readonly store: Store;
  readonly runsDir: string;
  readonly snapshotsDir: string;
  readonly log: Logger;
  readonly nowMs: number;
  readonly removed: Removed;
  readonly rest: Rest;
};

const stepRows = 100;
/**
 * The number of events in a step. It is larger than the number of rows, because events are small and a run has several.
 */
const stepEvents = 500;
/**
 * A run of a job without steps removes its folder when it ends. If the folder is still there this long after the end,
 * an error has kept it from being removed.
 */
const ownEndMs = 60_000;
const unknownMs = 86_400_000;
const keptFreeBytes = 2 ** 20;
const stepPages = 64;
const dayMs = 86_400_000;
/**
 * How long statistics by the hour are kept. The API compares the last seven days with the seven days before, by the
 * hour.
 */
const hoursKeptMs = 15 * dayMs;

export async function findHeld({ store, rest }: StepContext): Promise<Held> {
  const parents = new Set<string>();
  const revisions = new Set<string>();
  const outputEvents: number[] = [];
  for await (const runs of store.retention.unfinished()) {
    for (const { parentId, revision, lastOutputId } of runs) {
      if (parentId !== null) parents.add(parentId);
      if (lastOutputId !== null) outputEvents.push(lastOutputId);
      revisions.add(revision);
    }
    await rest();
  }
  return { parents, revisions, outputEvents };
}

export async function removeEvents(context: StepContext, held: Held, beforeMs: number): Promise<void> {
  const { store, rest, removed } = context;
  while (!rest.isOver()) {
    const count = await store.retention.removeEvents(beforeMs, held.outputEvents, stepEvents);
    if (count === 0) return;
    removed.events += count;
    await rest();
  }
}

export async function removeLogs(context: StepContext, beforeMs: number): Promise<void> {
  const { store, rest, removed, nowMs } = context;
  const stuck: string[] = [];
  while (!rest.isOver()) {
    const runIds = await store.retention.oldLogs(beforeMs, stuck, stepRows);
    if (runIds.length === 0) return;
    const files = await store.logs.removeFiles(runIds);
    removed.file_bytes += files.bytes;
    stuck.push(...files.stuck);
    const gone = runIds.filter((runId) => !files.stuck.includes(runId));
    await store.retention.forgetLogs(gone, nowMs);
    removed.logs += gone.length;
    await rest();
  }
}

/** Removes artifacts that are older than `beforeMs`, and artifacts whose own retention is over. */
export async function removeArtifacts(context: StepContext, beforeMs: number): Promise<void> {
  const { store, rest, removed, nowMs } = context;
  while (!rest.isOver()) {
    const seen = await store.artifacts.expire(beforeMs, nowMs, stepRows);
    if (seen < stepRows) break;
    await rest();
  }
  while (!rest.isOver()) {
    const files = await store.artifacts.removeExpired(nowMs, stepRows);
    removed.artifacts += files.removed;
    removed.file_bytes += files.bytes;
    if (files.seen < stepRows) return;
    await rest();
  }
}

/** Calls `remove` until it finds fewer rows than it may remove at once. */
export async function removeRows({ rest }: StepContext, remove: (limit: number) => Promise<number>): Promise<void> {
  while (!rest.isOver()) {
    if ((await remove(stepRows)) < stepRows) return;
    await rest();
  }
}

/** Removes old deliveries. Also removes the keys by which flwd recognises a duplicate, once they have expired. */
export async function removeDeliveries({ store, rest, nowMs }: StepContext, beforeMs: number): Promise<void> {
  while (!rest.isOver()) {
    const keys = await store.webhooks.removeExpiredKeys(nowMs, stepRows);
    const deliveries = await store.webhooks.removeDeliveries(beforeMs, stepRows);
    if (keys < stepRows && deliveries < stepRows) return;
    await rest();
  }
}

/** Removes the keys of the key-value store whose time is over. */
export async function removeExpiredKv(context: StepContext): Promise<void> {
  const { store, removed, nowMs } = context;
  await removeRows(context, async (most) => {
    const count = await store.kv.removeExpired(nowMs, most);
    removed.kv_keys += count;
    return count;
  });
}

/** Removes old runs, except those that have not ended and those whose parent or child has not ended. */
export async function removeRuns(context: StepContext, held: Held, beforeMs: number): Promise<void> {
  const { store, rest, removed, log, runsDir } = context;
  const folders = new Set(await readdir(runsDir));
  let last: OldRun | undefined;
  while (!rest.isOver()) {
    const found = await store.retention.oldRuns(beforeMs, last, stepRows);
    last = found.at(-1);
    if (!last) return;
    const runIds: string[] = [];
    for (const { id, parentId } of found) {
      if (rest.isOver()) break;
      if (held.parents.has(id)) continue;
      if (parentId !== null && !(await store.retention.hasEnded(parentId))) continue;
      if (!folders.has(id) || (await removeRunFolder(join(runsDir, id), log))) runIds.push(id);
    }
    removed.file_bytes += (await store.logs.removeFiles(runIds)).bytes;
    const files = await store.artifacts.removeFiles(await store.retention.artifactsOf(runIds));
    removed.artifacts += files.removed;
    removed.file_bytes += files.bytes;
    removed.runs += await store.retention.removeRuns(runIds);
    await rest();
  }
}

/**
 * Removes old workspaces. Adds the revisions of all other workspaces to `held`. A folder without a run belongs to a
 * rerun that was never added, because copying the workspace was interrupted.
 */
export async function removeWorkspaces(context: StepContext, held: Held, beforeMs: number): Promise<void> {
  const { store, rest, removed, log, runsDir, nowMs } = context;
  for (const runId of await readdir(runsDir)) {
    if (rest.isOver()) return;
    const folder = await store.retention.folderOf(runId);
    if (!folder) {
      await removeUnknown(context, runId);
      continue;
    }
    const { endedAtMs, hasSteps, revision } = folder;
    const isKept = endedAtMs === null || endedAtMs >= (hasSteps ? beforeMs : nowMs - ownEndMs);
    if (isKept) held.revisions.add(revision);
    // After a crash at the end of a run, the folders of its attempts still contain all that they printed, secrets
    // included.
    if (isKept && endedAtMs !== null && endedAtMs < nowMs - ownEndMs) await keepWorkspace(join(runsDir, runId), log);
    else if (!isKept && (await removeRunFolder(join(runsDir, runId), log))) removed.workspaces += 1;
    await rest();
  }
}

/**
 * Removes the folder of an unknown run if the folder is old. A new folder may belong to a run that is about to be
 * added.
 */
async function removeUnknown({ runsDir, log, nowMs, removed }: StepContext, runId: string): Promise<void> {
  const dir = join(runsDir, runId);
  const { mtimeMs = Infinity } = statSync(dir, { throwIfNoEntry: false }) ?? {};
  if (!runId.startsWith('run_') || mtimeMs >= nowMs - unknownMs) return;
  if (await removeRunFolder(dir, log)) removed.workspaces += 1;
}

export async function removeSnapshots(context: StepContext, held: Held, beforeMs: number): Promise<void> {
  const { rest, removed, snapshotsDir } = context;
  for (const revision of await oldSnapshots(snapshotsDir, beforeMs)) {
    if (rest.isOver()) return;
    if (held.revisions.has(revision)) continue;
    await removeSnapshot(snapshotsDir, revision);
    removed.snapshots += 1;
    await rest();
  }
}

export async function removeLeftovers(context: StepContext, beforeMs: number): Promise<void> {
  const { store, rest, removed, snapshotsDir } = context;
  removed.leftovers += await removeUnfinishedSnapshots(snapshotsDir, beforeMs);
  for await (const part of store.leftovers.remove(beforeMs)) {
    removed.leftovers += part.removed;
    removed.file_bytes += part.bytes;
    if (rest.isOver()) return;
    await rest();
  }
}

/** There are many counters of hours, so only counters of days are kept for as long as configured. */
export function oldStats(nowMs: number, beforeMs: number): readonly StatsBefore[] {
  return [
    { span: 'hour', beforeMs: Math.max(beforeMs, nowMs - hoursKeptMs) },
    { span: 'day', beforeMs },
  ];
}

export async function removeStats({ store, rest, removed, nowMs }: StepContext, beforeMs: number): Promise<void> {
  for (const old of oldStats(nowMs, beforeMs)) {
    for await (const count of store.stats.removeOld(old)) {
      removed.stats += count;
      if (rest.isOver()) return;
      await rest();
    }
  }
}

/**
 * Removes old audit entries. Each step adds an audit entry that says what was removed. To keep these entries few, a
 * pass that nobody asked for waits until there is a day of entries to remove.
 */
export async function removeAudit(context: StepContext, beforeMs: number, isAsked: boolean): Promise<void> {
  const { store, rest, removed } = context;
  const oldestAtMs = await store.audit.oldestAtMs();
  if (oldestAtMs === null || oldestAtMs >= (isAsked ? beforeMs : beforeMs - dayMs)) return;
  while (!rest.isOver()) {
    const count = await store.audit.removeBefore(beforeMs, stepEvents);
    removed.audit += count;
    if (count < stepEvents) return;
    await rest();
  }
}

/** Leaves `keptBytes` of free pages for new data. */
export async function giveBackSpace(context: StepContext, keptBytes = keptFreeBytes): Promise<void> {
  const { rest, removed } = context;
  const { space } = context.store;
  if (!space) return;
  let freeBytes = await space.shrink(0);
  while (freeBytes > keptBytes && !rest.isOver()) {
    const left = await space.shrink(stepPages);
    if (left >= freeBytes) return;
    removed.database_bytes += freeBytes - left;
    freeBytes = left;
    await rest();
  }
}
