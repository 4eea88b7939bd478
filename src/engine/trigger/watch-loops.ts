// Runs one loop for each trigger that follows files or has a check, as long as the catalogue has the trigger.

import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import { createWakeSignal } from '../../lib/wake-signal.ts';
import { isStorageError } from '../../store/storage-error.ts';
import { followCheck } from './check-loop.ts';
import { followFiles } from './files-loop.ts';
import type { LoopParts } from './looks.ts';
import { type Trigger, triggersIn } from './trigger-parts.ts';

const checksAtOnce = 4;

/** After an error of flwd itself. */
const restMs = 60_000;

type Loop = { readonly ending: AbortController; readonly ended: Promise<void> };

/** Resolves when the signal is aborted and no loop is left. */
export async function watchLoops(parts: Omit<LoopParts, 'limit'>, signal: AbortSignal): Promise<void> {
  const o = { ...parts, limit: pLimit(checksAtOnce) };
  const loops = new Map<string, Loop>();
  const wake = createWakeSignal(signal);
  const unsubscribe = o.catalog.onChange(wake.raise);
  wake.raise();
  while (!signal.aborted) {
    await wake.raised();
    if (signal.aborted || !o.catalog.isReady) continue;
    const wanted = new Map(triggersIn(o.catalog).flatMap((one) => (isWatched(one) ? [[one.id, one]] : [])));
    const gone = [...loops].filter(([id]) => !wanted.has(id));
    for (const [, { ending }] of gone) ending.abort();
    // If a trigger has only changed, one loop has ended before the next begins.
    await Promise.all(gone.map(([, { ended }]) => ended));
    for (const [id] of gone) {
      loops.delete(id);
      await o.looks.forget(id);
    }
    for (const [id, trigger] of wanted) if (!loops.has(id)) loops.set(id, begin(trigger, o));
  }
  unsubscribe();
  for (const { ending } of loops.values()) ending.abort();
  await Promise.all([...loops.values()].map(({ ended }) => ended));
}

type Watched = Extract<Trigger, { kind: 'files' | 'check' }>;

function isWatched(trigger: Trigger): trigger is Watched {
  return trigger.kind !== 'job' && trigger.denied === null;
}

function begin(trigger: Watched, o: LoopParts): Loop {
  const ending = new AbortController();
  const { signal } = ending;
  return { ending, ended: follow(trigger, o, signal) };
}

/** Begins again after an error. Never rejects. */
async function follow(trigger: Watched, o: LoopParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await (trigger.kind === 'files' ? followFiles(trigger, o, signal) : followCheck(trigger, o, signal));
    } catch (error) {
      if (signal.aborted) return;
      // The store has already logged that it cannot write at present.
      if (!isStorageError(error)) {
        o.log.error({ trigger_id: trigger.id, err: error }, 'a trigger stopped with an error; this is tried again');
        await o.looks.add(trigger, 'flwd itself failed; the server log says why').catch(() => undefined);
      }
      await delay(restMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}
