// Follows the files of one folder for a trigger. It starts a run for each file that has stayed the same for a while and
// is not in the ledger (ADR 0075).

import { type FSWatcher, watch } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { evaluateForTrigger } from '../../catalog/expression/expression.ts';
import { scheduleRefusal } from '../../domain/policy.ts';
import { Problem } from '../../domain/problem.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { createSha256 } from '../../lib/sha256.ts';
import { createWakeSignal } from '../../lib/wake-signal.ts';
import { type FoundFile, findFolder, readFolder } from './folder.ts';
import type { LoopParts } from './looks.ts';
import { startRun, TryLater } from './start-run.ts';
import type { FilesTriggerOfJob } from './trigger-parts.ts';

/** The system's reports of changes may get lost, and it reports no changes that another machine makes. */
const betweenLooksMs = 10_000;
/** A file that is being written is reported many times a second. */
const shortestPauseMs = 500;
const lookNotedEveryMs = 3_600_000;

/** Resolves when the signal is aborted. */
export async function followFiles(trigger: FilesTriggerOfJob, o: LoopParts, signal: AbortSignal): Promise<void> {
  const wake = createWakeSignal(signal);
  const reports = createReports(wake.raise);
  const ledger = createLedger(trigger, o);
  const unsettled = createUnsettled(trigger.settleMs, o.clock.monotonicMs);
  try {
    while (!signal.aborted) {
      const problem = await look({ trigger, ledger, unsettled, reports, signal }, o);
      if (!signal.aborted) await o.looks.add(trigger, problem ?? null);
      await delay(shortestPauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      const restMs = problem === undefined ? Math.min(unsettled.nextMs(), betweenLooksMs) : betweenLooksMs;
      const timer = setTimeout(wake.raise, restMs).unref();
      await wake.raised();
      clearTimeout(timer);
    }
  } finally {
    reports.close();
  }
}

type Following = {
  readonly trigger: FilesTriggerOfJob;
  readonly ledger: ReturnType<typeof createLedger>;
  readonly unsettled: ReturnType<typeof createUnsettled>;
  readonly reports: ReturnType<typeof createReports>;
  readonly signal: AbortSignal;
};

/** @returns what is wrong; undefined when nothing is */
async function look({ trigger, ledger, unsettled, reports, signal }: Following, o: LoopParts) {
  const folder = await findFolder(trigger, o);
  if ('problem' in folder) return folder.problem;
  reports.listenTo(folder.path);
  const found = await readFolder(folder.path, trigger.match);
  if ('problem' in found) return found.problem;
  const fresh = await ledger.findFresh(found.files);
  for (const file of unsettled.findSettled(fresh)) {
    if (signal.aborted) return undefined;
    try {
      await deal(trigger, file, ledger, o);
      unsettled.forget(file);
    } catch (error) {
      if (!(error instanceof TryLater)) throw error;
      return `${error.message} This is tried again.`;
    }
  }
  return undefined;
}

/** @throws TryLater */
async function deal(
  trigger: FilesTriggerOfJob,
  file: FoundFile,
  ledger: Following['ledger'],
  o: LoopParts,
): Promise<void> {
  const { path, name, sizeBytes, modifiedMs, stamp } = file;
  const shown = { path, name, size_bytes: sizeBytes, modified_at: toTimestamp(modifiedMs) };
  const result = await startRun(
    trigger,
    {
      key: `file ${stamp} ${path}`,
      tenant: o.defaultTenant,
      type: 'file',
      told: { path },
      admit({ source }) {
        const refusal = scheduleRefusal(trigger.jobId, source, 'a trigger that follows files');
        if (refusal) throw refusal;
      },
      evaluate: (text) => evaluateForTrigger(text, 'file', shown),
      cause: async () => ({ path }),
      note: (tx) => ledger.note(tx, file),
    },
    o,
  );
  if (result === 'left out') await o.store.db.transact((tx) => ledger.note(tx, file));
  ledger.know(file);
}

/** The files of the folder that were dealt with. It begins with those that are there when the trigger is first seen. */
function createLedger({ id, jobId, folder, match }: FilesTriggerOfJob, { store, clock, log }: LoopParts) {
  const { watchedFiles } = store;
  const hash = createSha256()
    .update(JSON.stringify([jobId, folder, match]))
    .digest('hex');
  const folderId = hash.slice(0, 26).toUpperCase();
  let known: Map<string, string> | undefined;
  let notedAtMs = 0;

  /** undefined: all files that are there have just been noted, because the folder was never read before. */
  async function open(files: readonly FoundFile[]): Promise<Map<string, string> | undefined> {
    known ??= asMap(await watchedFiles.present(folderId));
    if (known) return known;
    await store.db.transact(async (tx) => {
      await watchedFiles.look(tx, folderId, clock.now());
      await watchedFiles.note(tx, folderId, files);
    });
    log.info(
      { trigger_id: id, job_id: jobId, files: files.length },
      'a trigger begins; files that are there do not count',
    );
    notedAtMs = clock.now();
    known = new Map(files.map(({ name, stamp }) => [name, stamp]));
    return undefined;
  }

  /** Files that had gone, and are there again. One that is as it was is still known. */
  async function meetAgain(files: readonly FoundFile[], present: Map<string, string>): Promise<void> {
    const unseen = files.filter(({ name }) => !present.has(name));
    if (unseen.length === 0) return;
    const names = unseen.map(({ name }) => name);
    const stamps = await watchedFiles.stamps(folderId, names);
    const back = unseen.filter(({ name, stamp }) => stamps.get(name) === stamp);
    if (back.length === 0) return;
    await store.db.transact((tx) =>
      watchedFiles.noteBack(
        tx,
        folderId,
        back.map(({ name }) => name),
      ),
    );
    for (const { name, stamp } of back) present.set(name, stamp);
  }

  async function takeLeave(files: readonly FoundFile[], present: Map<string, string>): Promise<void> {
    const names = new Set(files.map(({ name }) => name));
    const gone = [...present.keys()].filter((name) => !names.has(name));
    const nowMs = clock.now();
    if (gone.length === 0 && nowMs - notedAtMs <= lookNotedEveryMs) return;
    await store.db.transact(async (tx) => {
      await watchedFiles.look(tx, folderId, nowMs);
      await watchedFiles.noteGone(tx, folderId, gone, nowMs);
    });
    notedAtMs = nowMs;
    for (const name of gone) present.delete(name);
  }

  return {
    async findFresh(files: readonly FoundFile[]): Promise<readonly FoundFile[]> {
      const present = await open(files);
      if (!present) return [];
      await takeLeave(files, present);
      await meetAgain(files, present);
      return files.filter(({ name, stamp }) => present.get(name) !== stamp);
    },
    /** @throws Problem idempotency-conflict */
    async note(tx: Parameters<typeof watchedFiles.note>[0], file: FoundFile): Promise<void> {
      if ((await watchedFiles.note(tx, folderId, [file])) === 0)
        throw new Problem('idempotency-conflict', 'The trigger has dealt with this file already.');
    },
    know: ({ name, stamp }: FoundFile): void => void known?.set(name, stamp),
  };
}

function asMap(map: ReadonlyMap<string, string> | undefined): Map<string, string> | undefined {
  return map && new Map(map);
}

/** Files that may not be complete yet. */
function createUnsettled(settleMs: number, monotonicMs: () => number) {
  let seen = new Map<string, { readonly stamp: string; readonly sinceMs: number }>();
  return {
    /** Oldest first. */
    findSettled(fresh: readonly FoundFile[]): FoundFile[] {
      const nowMs = monotonicMs();
      const before = seen;
      seen = new Map(
        fresh.map(({ name, stamp }) => {
          const one = before.get(name);
          return [name, one?.stamp === stamp ? one : { stamp, sinceMs: nowMs }];
        }),
      );
      const settled = fresh.filter(({ name }) => nowMs - (seen.get(name)?.sinceMs ?? nowMs) >= settleMs);
      return settled.toSorted((a, b) => a.modifiedMs - b.modifiedMs || (a.name < b.name ? -1 : 1));
    },
    /** How long until the next of them may count. */
    nextMs(): number {
      const nowMs = monotonicMs();
      const waits = [...seen.values()].map(({ sinceMs }) => Math.max(0, sinceMs + settleMs - nowMs));
      return waits.reduce((least, ms) => Math.min(least, ms), Number.POSITIVE_INFINITY);
    },
    /** It was dealt with. */
    forget: ({ name }: FoundFile): void => void seen.delete(name),
  };
}

/** The system's reports of changes in the folder, as far as there are any. */
function createReports(onChange: () => void) {
  let watcher: FSWatcher | undefined;
  let heard: string | undefined;
  function close(): void {
    watcher?.close();
    watcher = undefined;
    heard = undefined;
  }
  return {
    listenTo(path: string): void {
      if (path === heard) return;
      close();
      try {
        watcher = watch(path, { persistent: false }, onChange);
        watcher.on('error', close);
        heard = path;
      } catch {
        // The system has no more watches. The folder is still read every ten seconds.
      }
    },
    close,
  };
}
