// Sends the spans of runs that have ended: reads the journal after a cursor that moves once a collector has taken them,
// so a crash loses no span (ADR 0072). Loaded only if flwd.yaml names a collector.

import { setTimeout as delay } from 'node:timers/promises';
import type { Hub } from '../engine/hub.ts';
import type { SecretOf } from '../engine/secrets/stored-text.ts';
import type { SteadyClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { createWakeSignal } from '../lib/wake-signal.ts';
import { createYielder } from '../lib/yielder.ts';
import type { Store } from '../store/open.ts';
import { isStorageError } from '../store/storage-error.ts';
import type { ExportState, TracedRun } from '../store/traces.ts';
import { type Collector, type Sent, sendSpans } from './send-spans.ts';
import { createToSpans, type Span } from './to-spans.ts';

type Options = {
  readonly store: Pick<Store, 'db' | 'traces'>;
  readonly hub: Pick<Hub, 'latestId' | 'onEvents'>;
  readonly collector: Collector;
  readonly secretOf: SecretOf;
  readonly clock: SteadyClock;
  readonly log: Logger;
  readonly version: string;
  /** The name of the instance. */
  readonly instance: string;
  /** The first event that counts if nothing was ever exported. */
  readonly beginsAt: number;
  readonly timeoutMs?: number;
};

export type TraceExport = {
  /** Aborts the request in progress. Its spans are sent again after the next start. */
  readonly close: () => Promise<void>;
};

/** Runs that end within this time are sent together. */
const lookDelayMs = 500;
const answerMs = 10_000;
const stateSavedEveryMs = 10_000;
const delays = { firstMs: 1_000, longestMs: 60_000, longestAskedMs: 3_600_000 };
/** A run that ended longer ago is not sent any more. */
const keptMs = 86_400_000;
/** About 40 KB. More would hold up answers while they are written. */
const spansAtOnce = 200;

export function startTraceExport(o: Options): TraceExport {
  const ending = new AbortController();
  const ended = exportUntil(ending.signal, o);
  return {
    async close() {
      ending.abort();
      await ended;
    },
  };
}

async function exportUntil(signal: AbortSignal, o: Options): Promise<void> {
  const wake = createWakeSignal(signal);
  const unsubscribe = o.hub.onEvents((entries) => {
    if (entries.some(({ type }) => type === 'run.finished')) wake.raise();
  });
  const progress = createProgress(o);
  let failures = 0;
  wake.raise();
  while (!signal.aborted) {
    await wake.raised();
    try {
      if (!signal.aborted) await delay(lookDelayMs, undefined, { signal });
      const askedMs = await look(progress, signal, o);
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
      if (!isStorageError(error)) o.log.error({ err: error }, 'spans could not be sent; this is tried again');
      wake.raise();
      await delay(delays.longestMs, undefined, { signal }).catch(() => undefined);
    }
  }
  unsubscribe();
  await progress.save().catch((error: unknown) => {
    if (!isStorageError(error)) o.log.error({ err: error }, 'the progress of the export of spans could not be stored');
  });
}

/** Sends what there is. Returns null, or how long the collector asks to be left alone. */
async function look(progress: Progress, signal: AbortSignal, o: Options): Promise<number | null> {
  const { store, hub, clock } = o;
  const toId = hub.latestId;
  let at = await progress.open();
  while (at <= toId && !signal.aborted) {
    const ended = await store.traces.ended({ fromId: at, toId });
    const sinceMs = clock.now() - keptMs;
    const fresh = ended.filter(({ finishedAtMs }) => finishedAtMs >= sinceMs);
    progress.drop(ended.length - fresh.length);
    for await (const { spans, nextId } of batchesOf(fresh, o)) {
      for (let from = 0; from < spans.length; from += spansAtOnce) {
        const sent = await sendSlice(spans.slice(from, from + spansAtOnce), progress, signal, o);
        if (sent.kind === 'later') return sent.retryAfterMs;
      }
      await progress.move(nextId);
    }
    const last = ended.at(-1);
    // If the query found runs, there may be more of them behind the last one.
    at = last ? last.eventId + 1 : toId + 1;
    await progress.move(at);
  }
  return null;
}

/** The spans of several small runs, or of a large one. A caller that is not sampled wants no spans. */
async function* batchesOf(runs: readonly TracedRun[], { store, instance, version }: Options) {
  const toSpans = createToSpans(instance, version);
  const maybeYield = createYielder();
  const sampled = runs.filter(({ trace }) => trace.sampled);
  let spans: readonly Span[] = [];
  for (const [n, run] of sampled.entries()) {
    spans = [...spans, ...toSpans(run, await store.traces.attempts(run.runId))];
    await maybeYield();
    if (spans.length < spansAtOnce && n < sampled.length - 1) continue;
    yield { spans, nextId: run.eventId + 1 };
    spans = [];
  }
}

/** A span that the collector refuses takes no more than its half of the slice with it. */
async function sendSlice(spans: readonly Span[], progress: Progress, signal: AbortSignal, o: Options): Promise<Sent> {
  let sent = await send(spans, signal, o);
  if (sent.kind !== 'refused' || !sent.mayHalve || spans.length === 1) {
    await progress.note(sent);
    return sent;
  }
  const middle = Math.ceil(spans.length / 2);
  for (const half of [spans.slice(0, middle), spans.slice(middle)]) {
    sent = await send(half, signal, o);
    await progress.note(sent);
    if (sent.kind === 'later') break;
  }
  return sent;
}

function send(spans: readonly Span[], signal: AbortSignal, o: Options): Promise<Sent> {
  const { collector, secretOf, clock, timeoutMs = answerMs } = o;
  return sendSpans(spans, {
    collector,
    secretOf,
    userAgent: `flwd/${o.version}`,
    nowMs: clock.now(),
    timeoutMs,
    signal,
  });
}

type Progress = ReturnType<typeof createProgress>;

/** Where the search of the journal continues, and how the last requests went. */
function createProgress({ store, clock, log, collector, beginsAt }: Options) {
  const { origin } = new URL(collector.endpoint);
  const told = { isDropping: false, isRefused: false };
  let state: ExportState | undefined;
  let isSaved = false;
  let savedAtMs = clock.monotonicMs();

  async function save(): Promise<void> {
    const now = state;
    if (!now || isSaved) return;
    isSaved = true;
    savedAtMs = clock.monotonicMs();
    await store.db
      .transact((tx) => store.traces.setState(tx, now))
      .catch((error: unknown) => {
        isSaved = false;
        throw error;
      });
  }

  async function change(part: Partial<ExportState>): Promise<void> {
    const before = state;
    if (!before) return;
    state = { ...before, ...part };
    isSaved = false;
    const isNews = state.error !== before.error;
    if (isNews || clock.monotonicMs() - savedAtMs >= stateSavedEveryMs) await save();
  }

  return {
    save,
    async open(): Promise<number> {
      if (!state) {
        const stored = await store.traces.state();
        state = stored ?? { nextId: beginsAt, sentAtMs: null, failedAtMs: null, error: null };
        isSaved = stored !== undefined;
        // Without it, a crash would make the next start begin later.
        await save();
      }
      return state.nextId;
    },
    move: (nextId: number) => change({ nextId }),
    drop(runs: number): void {
      if (runs === 0 || told.isDropping) return;
      told.isDropping = true;
      log.warn({ origin, runs }, 'spans of runs that ended more than a day ago are dropped');
    },
    async note(sent: Sent): Promise<void> {
      if (sent.kind === 'taken') {
        if (state?.error) log.info({ origin }, 'spans are sent again');
        told.isDropping = false;
        told.isRefused = false;
        await change({ sentAtMs: clock.now(), error: null });
        return;
      }
      const { kind, error } = sent;
      if (kind === 'refused' && !told.isRefused) {
        told.isRefused = true;
        log.warn({ origin, error }, 'the collector refused spans, which are dropped: see its log');
      } else if (kind === 'later' && !state?.error) {
        log.warn({ origin, error }, 'spans cannot be sent; this is tried again for a day');
      }
      await change({ failedAtMs: clock.now(), error });
    },
  };
}
