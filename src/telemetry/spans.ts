// Finds the spans to send: the spans of runs that have ended (ADR 0072).

import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { createYielder } from '../lib/yielder.ts';
import type { ExportStore, TracedRun } from '../store/exports.ts';
import type { Origin } from './origin.ts';
import type { Part, Range, Source } from './source.ts';
import { type Span, toSpans } from './to-spans.ts';

/** This many spans take about 40 KB. Writing more at once would delay answers. */
const spansAtOnce = 200;

export function createSpanSource(o: {
  readonly exports: Pick<ExportStore, 'ended' | 'attempts'>;
  readonly origin: Origin;
}): Source<Span> {
  async function* read({ fromId, toId, sinceMs }: Range): AsyncGenerator<Part<Span>, void> {
    for (let at = fromId; at <= toId; ) {
      const ended = await o.exports.ended({ fromId: at, toId });
      const fresh = ended.filter(({ finishedAtMs }) => finishedAtMs >= sinceMs);
      yield { items: [], nextId: at, dropped: ended.length - fresh.length };
      // No spans are wanted if the caller's trace is not sampled.
      yield* partsOf(
        fresh.filter(({ trace }) => trace.sampled),
        at,
      );
      const last = ended.at(-1);
      // If the query found runs, there may be more runs after the last one.
      at = last ? last.eventId + 1 : toId + 1;
      yield { items: [], nextId: at, dropped: 0 };
    }
  }

  /** Each part has the spans of several small runs, or some of the spans of a large run. */
  async function* partsOf(runs: readonly TracedRun[], firstId: number): AsyncGenerator<Part<Span>, void> {
    const maybeYield = createYielder();
    let spans: readonly Span[] = [];
    let nextId = firstId;
    for (const [n, run] of runs.entries()) {
      spans = [...spans, ...toSpans(run, await o.exports.attempts(run.runId), o.origin)];
      await maybeYield();
      if (spans.length < spansAtOnce && n < runs.length - 1) continue;
      for (let from = 0; from < spans.length; from += spansAtOnce) {
        const isLast = from + spansAtOnce >= spans.length;
        // The spans of a run are sent again unless the collector has taken all of them.
        if (isLast) nextId = run.eventId + 1;
        yield { items: spans.slice(from, from + spansAtOnce), nextId, dropped: 0 };
      }
      spans = [];
    }
  }

  return {
    kind: 'traces',
    says: {
      later: 'spans cannot be sent; flwd tries again for a day',
      again: 'spans reach the collector again',
      refused: 'the collector refused spans, which are dropped: see its log',
      tooOld: 'spans of runs that ended more than a day ago are dropped',
      failed: 'spans could not be sent; flwd tries again',
    },
    isNews: ({ type }) => type === 'run.finished',
    read,
    serialize: (spans) => ProtobufTraceSerializer.serializeRequest(spans),
  };
}
