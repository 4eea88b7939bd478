// Follows the files of one folder for a trigger. It starts a run for each file that has stayed the same for a while and
// is not in the ledger (ADR 0075).

import { setTimeout as delay } from 'node:timers/promises';
import { evaluateForTrigger } from '../../catalog/expression/expression.ts';
import { scheduleRefusal } from '../../domain/policy.ts';
import { createArtifactGlob } from '../../exec/collect/artifact-glob.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { createWakeSignal } from '../../lib/wake-signal.ts';
import { type FoundFile, type FoundFolder, isThere, lookInto } from './folder.ts';
import { createReports } from './folder-reports.ts';
import { inTurn } from './in-turn.ts';
import { createLedger, type Ledger } from './ledger.ts';
import type { LoopParts } from './looks.ts';
import { noteRefusal, startRun, type TriggerEvent, TryLater } from './start-run.ts';
import type { FilesTriggerOfJob } from './trigger-parts.ts';

/**
 * The folder is read this often even without a report: reports get lost, and the system reports no changes that another
 * machine makes.
 */
const betweenLooksMs = 10_000;
/**
 * The shortest pause between two reads of the folder, because a file that is being written is reported many times a
 * second.
 */
const shortestPauseMs = 500;
/** The pause is this many times as long as the read before it, so that at most a tenth of the time is spent reading. */
const pausePerLook = 9;
const longestReadMs = 30_000;

/** Resolves when the signal is aborted. */
export async function followFiles(trigger: FilesTriggerOfJob, o: LoopParts, signal: AbortSignal): Promise<void> {
  const { monotonicMs } = o.clock;
  const wake = createWakeSignal(signal);
  const glob = createArtifactGlob(trigger.match);
  const reports = createReports((name) => glob.matches(name), wake.raise);
  const read = createReader(trigger, o, signal);
  const ledger = createLedger(trigger, o);
  const unsettled = createUnsettled(trigger.settleMs, monotonicMs);
  try {
    while (!signal.aborted) {
      const beganMs = monotonicMs();
      const folder = await read();
      if (signal.aborted) return;
      if (folder.path === null) reports.close();
      else reports.listenTo(folder.path);
      const problem = (await startRuns(folder, { trigger, ledger, unsettled, signal }, o)) ?? folder.problem;
      if (signal.aborted) return;
      await o.looks.add(trigger, problem);
      const pauseMs = Math.max(shortestPauseMs, Math.min(betweenLooksMs, pausePerLook * (monotonicMs() - beganMs)));
      await delay(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      const restMs = problem === null ? Math.min(unsettled.nextMs(), betweenLooksMs) : betweenLooksMs;
      const timer = setTimeout(wake.raise, restMs).unref();
      await wake.raised();
      clearTimeout(timer);
    }
  } finally {
    reports.close();
  }
}

/**
 * Reads the folder of a trigger. A folder on another machine may never answer. It is then not asked again, and the loop
 * goes on.
 */
function createReader(trigger: FilesTriggerOfJob, o: LoopParts, signal: AbortSignal) {
  let reading: Promise<FoundFolder | undefined> | undefined;
  const hangs: FoundFolder = {
    path: null,
    files: [],
    problem: 'the folder does not answer, or flwd waits for another folder that does not',
  };
  return async (): Promise<FoundFolder> => {
    reading ??= inTurn(o.limitReads, signal, () => lookInto(trigger, o));
    const late = delay(longestReadMs, hangs, { signal, ref: false }).catch(() => hangs);
    const folder = (await Promise.race([reading, late])) ?? hangs;
    if (folder !== hangs) reading = undefined;
    return folder;
  };
}

type Following = {
  readonly trigger: FilesTriggerOfJob;
  readonly ledger: Ledger;
  readonly unsettled: ReturnType<typeof createUnsettled>;
  readonly signal: AbortSignal;
};

/** @returns why no runs can be started at present; undefined if nothing keeps them from starting */
async function startRuns(
  { path, files }: FoundFolder,
  following: Following,
  o: LoopParts,
): Promise<string | undefined> {
  const { trigger, ledger, unsettled, signal } = following;
  if (path === null) return undefined;
  const fresh = await ledger.findFresh(files);
  for (const file of unsettled.findSettled(fresh)) {
    if (signal.aborted) return undefined;
    try {
      await startFor(trigger, file, ledger, o);
      unsettled.forget(file);
    } catch (error) {
      if (!(error instanceof TryLater)) throw error;
      return `${error.message} flwd tries again.`;
    }
  }
  return undefined;
}

/** @throws TryLater */
async function startFor(trigger: FilesTriggerOfJob, file: FoundFile, ledger: Ledger, o: LoopParts): Promise<void> {
  if (!(await isThere(file))) return;
  const event = eventOf(trigger, file, ledger, o);
  const started = await startRun(trigger, event, o);
  if (started.kind === 'refused') {
    // The job, or the folder with the file, may have disappeared while the run was being started.
    if (passesForFiles.has(started.problem.slug)) throw new TryLater(started.problem, event.logFields);
    if (!(await isThere(file))) return;
    await noteRefusal(trigger, event, started.problem, o);
  }
  if (started.kind === 'left out') await o.store.db.transact((tx) => ledger.note(tx, file));
  ledger.know(file);
}

const passesForFiles: ReadonlySet<string> = new Set(['job-not-found', 'job-invalid']);

function eventOf(trigger: FilesTriggerOfJob, file: FoundFile, ledger: Ledger, o: LoopParts): TriggerEvent {
  const { path, name, sizeBytes, modifiedMs, stamp } = file;
  const shown = { path, name, size_bytes: sizeBytes, modified_at: toTimestamp(modifiedMs) };
  return {
    key: `file ${stamp} ${path}`,
    tenant: o.defaultTenant,
    type: 'file',
    logFields: { path },
    admit({ source }) {
      const refusal = scheduleRefusal(trigger.jobId, source, 'a trigger that follows files');
      if (refusal) throw refusal;
    },
    evaluate: (text) => evaluateForTrigger(text, 'file', shown),
    cause: async () => ({ path }),
    note: (tx) => ledger.note(tx, file),
  };
}

/** Files that may not be complete yet. */
function createUnsettled(settleMs: number, monotonicMs: () => number) {
  let seen = new Map<string, { readonly stamp: string; readonly sinceMs: number }>();
  return {
    /** Returns the files that have stayed the same for long enough, oldest first. */
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
    /** The time until the next file may have stayed the same for long enough. */
    nextMs(): number {
      const nowMs = monotonicMs();
      const waits = [...seen.values()].map(({ sinceMs }) => Math.max(0, sinceMs + settleMs - nowMs));
      return waits.reduce((least, ms) => Math.min(least, ms), Number.POSITIVE_INFINITY);
    },
    /** Call it when the file was dealt with. */
    forget: ({ name }: FoundFile): void => void seen.delete(name),
  };
}
