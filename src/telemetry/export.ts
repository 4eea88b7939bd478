// Sends new items of the journal to a collector. The cursor moves only when the collector has accepted everything
// before it, so a crash loses nothing (ADR 0072). This code is loaded only if flwd.yaml names a collector.

import { setTimeout as delay } from 'node:timers/promises';
import { createWakeSignal } from '../lib/wake-signal.ts';
import { isStorageError } from '../store/storage-error.ts';
import { createProgress, type Progress } from './progress.ts';
import { type Sent, sendToCollector } from './send.ts';
import type { ExportOptions, Source } from './source.ts';

/** Events that come within this time are sent together. */
const lookDelayMs = 500;
const answerMs = 10_000;
const delays = { firstMs: 1_000, longestMs: 60_000, longestAskedMs: 3_600_000 };
/** How old an item may be. Older items are no longer sent. */
const keptMs = 86_400_000;

/** Exports until the signal is aborted. The next start sends the items of an unfinished request again. */
export async function exportUntil<Item>(signal: AbortSignal, source: Source<Item>, o: ExportOptions): Promise<void> {
  const wake = createWakeSignal(signal);
  const unsubscribe = o.hub.onEvents((entries) => {
    if (entries.some(source.isNews)) wake.raise();
  });
  const progress = createProgress(source, o);
  let failures = 0;
  wake.raise();
  while (!signal.aborted) {
    await wake.raised();
    try {
      if (!signal.aborted) await delay(lookDelayMs, undefined, { signal });
      const askedMs = await look(source, progress, signal, o);
      if (askedMs === null) {
        failures = 0;
        continue;
      }
      const backoffMs = Math.min(delays.firstMs * 2 ** failures, delays.longestMs);
      failures += 1;
      wake.raise();
      await delay(Math.max(backoffMs, Math.min(askedMs, delays.longestAskedMs)), undefined, { signal });
    } catch (error) {
      if (signal.aborted) break;
      // The store has already logged that it cannot write at present.
      if (!isStorageError(error)) o.log.error({ err: error }, source.says.failed);
      wake.raise();
      await delay(delays.longestMs, undefined, { signal }).catch(() => undefined);
    }
  }
  unsubscribe();
  await progress.save().catch((error: unknown) => {
    if (isStorageError(error)) return;
    o.log.error({ err: error }, 'the progress of an export to a collector could not be stored');
  });
}

/** Sends everything that is due. If the collector could not accept it, returns how long to wait; otherwise null. */
async function look<Item>(
  source: Source<Item>,
  progress: Progress,
  signal: AbortSignal,
  o: ExportOptions,
): Promise<number | null> {
  const toId = o.hub.latestId;
  const fromId = await progress.open();
  if (fromId > toId) return null;
  for await (const part of source.read({ fromId, toId, sinceMs: o.clock.now() - keptMs })) {
    progress.drop(part.dropped);
    const sent = part.items.length === 0 ? undefined : await sendPart(part.items, { source, progress, signal, o });
    if (sent?.kind === 'later') return sent.retryAfterMs;
    await progress.move(part.nextId);
    if (signal.aborted) return null;
  }
  return null;
}

/**
 * Sends a request. If the collector refuses it, sends each half separately, so that one bad item causes the loss of
 * only one half.
 */
async function sendPart<Item>(
  items: readonly Item[],
  parts: {
    readonly source: Source<Item>;
    readonly progress: Progress;
    readonly signal: AbortSignal;
    readonly o: ExportOptions;
  },
): Promise<Sent> {
  const { source, progress, signal, o } = parts;
  const send = (some: readonly Item[]): Promise<Sent> =>
    sendToCollector(source.serialize([...some]), {
      kind: source.kind,
      collector: o.collector,
      secretOf: o.secretOf,
      userAgent: `flwd/${o.version}`,
      nowMs: o.clock.now(),
      timeoutMs: o.timeoutMs ?? answerMs,
      signal,
    });
  let sent = await send(items);
  if (sent.kind !== 'refused' || !sent.mayHalve || items.length === 1) {
    await progress.note(sent);
    return sent;
  }
  const middle = Math.ceil(items.length / 2);
  for (const half of [items.slice(0, middle), items.slice(middle)]) {
    sent = await send(half);
    await progress.note(sent);
    if (sent.kind === 'later') break;
  }
  return sent;
}
