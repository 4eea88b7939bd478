// Runs one loop for each trigger that follows files or has a check, as long as the catalog has the trigger.

import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import { createWakeSignal } from '../../lib/wake-signal.ts';
import { isStorageError } from '../../store/storage-error.ts';
import { followCheck } from './check-loop.ts';
import { followFiles } from './files-loop.ts';
import type { LoopParts } from './looks.ts';
import { type Trigger, triggersIn } from './trigger-parts.ts';

const checksAtOnce = 4;
/** At most two, because the process has four threads for all its file operations. */
const readsAtOnce = 2;
/** The pause after an error of flwd itself. */
const restMs = 60_000;
const storageRestMs = 5_000;

type Loop = { readonly ending: AbortController; readonly ended: Promise<void> };

/** Resolves when the signal is aborted and no loop is left. Never rejects. */
export async function watchLoops(
  parts: Omit<LoopParts, 'limitChecks' | 'limitReads'>,
  signal: AbortSignal,
): Promise<void> {
  const o = { ...parts, limitChecks: pLimit(checksAtOnce), limitReads: pLimit(readsAtOnce) };
  const loops = new Map<string, Loop>();
  const wake = createWakeSignal(signal);
  const unsubscribe = o.catalog.onChange(wake.raise);
  wake.raise();
  while (!signal.aborted) {
    await wake.raised();
    try {
      if (!signal.aborted && o.catalog.isReady) await updateLoops(loops, o, signal);
    } catch (error) {
      await rest(error, o, signal);
      wake.raise();
    }
  }
  unsubscribe();
  await Promise.all([...loops.values()].map(({ ended }) => ended));
}

/** Ends the loops of triggers that no longer exist, and begins the loops of new triggers. */
async function updateLoops(loops: Map<string, Loop>, o: LoopParts, signal: AbortSignal): Promise<void> {
  const wanted = new Map(triggersIn(o.catalog).flatMap((one) => (isWatched(one) ? [[one.id, one]] : [])));
  const gone = [...loops].filter(([id]) => !wanted.has(id));
  for (const [, { ending }] of gone) ending.abort();
  // A trigger that was changed has a new id. Its old loop must end before its new loop begins.
  await Promise.all(gone.map(([, { ended }]) => ended));
  for (const [id] of gone) loops.delete(id);
  for (const [id, trigger] of wanted) if (!loops.has(id)) loops.set(id, begin(trigger, o, signal));
  await o.looks.forgetOthers(new Set(wanted.keys()));
}

type Watched = Extract<Trigger, { kind: 'files' | 'check' }>;

function isWatched(trigger: Trigger): trigger is Watched {
  return trigger.kind !== 'job' && trigger.denied === null;
}

function begin(trigger: Watched, o: LoopParts, stopping: AbortSignal): Loop {
  const ending = new AbortController();
  return { ending, ended: follow(trigger, o, AbortSignal.any([ending.signal, stopping])) };
}

/** Begins again after an error. Never rejects. */
async function follow(trigger: Watched, o: LoopParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await (trigger.kind === 'files' ? followFiles(trigger, o, signal) : followCheck(trigger, o, signal));
    } catch (error) {
      if (signal.aborted) return;
      if (!isStorageError(error))
        await o.looks.add(trigger, 'flwd itself failed; the server log says why').catch(() => undefined);
      await rest(error, o, signal);
    }
  }
}

async function rest(error: unknown, { log }: LoopParts, signal: AbortSignal): Promise<void> {
  // The store has already logged that it cannot write at present.
  const isStorage = isStorageError(error);
  if (!isStorage) log.error({ err: error }, 'the triggers stopped with an error; flwd tries again');
  await delay(isStorage ? storageRestMs : restMs, undefined, { signal, ref: false }).catch(() => undefined);
}
