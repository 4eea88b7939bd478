// Finds the log lines that have to be sent: the lines of all runs, in the order in which they were stored (ADR 0081).

import { SeverityNumber, TraceFlags } from '@opentelemetry/api';
import { ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer';
import { LRUCache } from 'lru-cache';
import { eventsOfLine, isOutput, type JournalEntry, type NewOutput } from '../domain/event.ts';
import type { LogLevel, LogLine } from '../domain/log-line.ts';
import { lastIdOf } from '../engine/hub.ts';
import { createYielder } from '../lib/yielder.ts';
import type { ExportStore } from '../store/exports.ts';
import type { Journal } from '../store/journal.ts';
import type { LogStore } from '../store/log/logs.ts';
import { attemptSpanId } from '../store/run/span-ids.ts';
import type { Origin } from './origin.ts';
import type { Part, Range, Source } from './source.ts';

type LogRecord = Parameters<typeof ProtobufLogsSerializer.serializeRequest>[0][number];
type OutputEntry = JournalEntry & NewOutput;
/** A line, the journal entry that announced it, and the id of the next event. */
type FoundLine = { readonly line: LogLine; readonly entry: OutputEntry; readonly nextId: number };

const linesAtOnce = 500;
const charsAtOnce = 2 ** 20;
const pageEntries = 500;
const lineObjectChars = 200;
/** The most characters of lines that are read ahead and cached. The cached lines of one run take a few hundred KiB. */
const mostCharsAhead = 8 * 2 ** 20;

const severities: Readonly<Record<LogLevel, SeverityNumber>> = {
  trace: SeverityNumber.TRACE,
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
  fatal: SeverityNumber.FATAL,
};

type SourceParts = {
  readonly journal: Pick<Journal, 'read'>;
  readonly logs: Pick<LogStore, 'next'>;
  readonly exports: Pick<ExportStore, 'traceIds'>;
  readonly origin: Origin;
};

export function createLogSource(o: SourceParts): Source<LogRecord> {
  return {
    kind: 'logs',
    says: {
      later: 'log lines cannot be sent; flwd tries again for a day',
      again: 'log lines reach the collector again',
      refused: 'the collector refused log lines, which are dropped: see its log',
      tooOld: 'log lines that were printed more than a day ago are dropped',
      failed: 'log lines could not be sent; flwd tries again',
    },
    isNews: isOutput,
    read: (range) => readParts(range, o),
    serialize: (records) => ProtobufLogsSerializer.serializeRequest(records),
  };
}

async function* readParts({ fromId, toId, sinceMs }: Range, o: SourceParts): AsyncGenerator<Part<LogRecord>, void> {
  const linesOf = createLineReader(o.logs);
  const maybeYield = createYielder();
  let found: FoundLine[] = [];
  let [chars, dropped] = [0, 0];

  async function take(nextId: number): Promise<Part<LogRecord>> {
    const part = { items: await toRecords(found, o), nextId, dropped };
    found = [];
    [chars, dropped] = [0, 0];
    return part;
  }

  for await (const entry of entriesOf(o.journal, { fromId, toId })) {
    if (!isOutput(entry)) continue;
    if (entry.atMs < sinceMs) {
      dropped += entry.lineCount;
      continue;
    }
    for await (const one of linesOf(entry, fromId)) {
      found.push(one);
      chars += one.line.message.length + JSON.stringify(one.line.fields ?? '').length;
      await maybeYield();
      if (found.length >= linesAtOnce || chars >= charsAtOnce) yield await take(one.nextId);
    }
  }
  yield await take(toId + 1);
}

/** Yields the entries from `fromId` on. The first entry may begin before `fromId`. */
async function* entriesOf(
  journal: Pick<Journal, 'read'>,
  { fromId, toId }: Pick<Range, 'fromId' | 'toId'>,
): AsyncGenerator<JournalEntry, void> {
  for (let afterId = fromId - 1; afterId < toId; ) {
    const page = await journal.read({ afterId, limit: pageEntries });
    yield* page.filter(({ id }) => id <= toId);
    const last = page.at(-1);
    if (!last || page.length < pageEntries) return;
    afterId = lastIdOf(last);
  }
}

/**
 * Reads the lines of an entry, from the id `fromId` on. Logs are read in batches. A batch often has the lines of the
 * run's next entries too, because a script that prints slowly has an entry for each line.
 */
function createLineReader(logs: Pick<LogStore, 'next'>) {
  const ahead = new LRUCache<string, readonly LogLine[]>({ maxSize: mostCharsAhead });

  /** The lines from `seq` to before `endSeq`. Their numbers are consecutive. */
  async function linesFrom(runId: string, seq: number, endSeq: number): Promise<readonly LogLine[]> {
    const known = ahead.get(runId);
    const at = seq - (known?.[0]?.seq ?? seq + 1);
    if (known?.[at]?.seq === seq) return known.slice(at, at + endSeq - seq);
    const lines = (await logs.next(runId, seq - 1))?.lines() ?? [];
    const size = lines.reduce((chars, { message }) => chars + message.length + lineObjectChars, 1);
    ahead.set(runId, lines, { size });
    return lines.slice(0, endSeq - seq);
  }

  return async function* linesOf(entry: OutputEntry, fromId: number): AsyncGenerator<FoundLine, void> {
    const idsOfLine = eventsOfLine[entry.type].length;
    const endSeq = entry.firstSeq + entry.lineCount;
    const skipped = Math.max(0, Math.ceil((fromId - entry.id) / idsOfLine));
    for (let seq = entry.firstSeq + skipped; seq < endSeq; ) {
      const lines = await linesFrom(entry.runId, seq, endSeq);
      // Retention has removed the log.
      if (lines.length === 0) return;
      for (const line of lines) {
        seq = line.seq + 1;
        yield { line, entry, nextId: entry.id + (seq - entry.firstSeq) * idsOfLine };
      }
    }
  };
}

async function toRecords(found: readonly FoundLine[], { exports, origin }: SourceParts): Promise<LogRecord[]> {
  const traceIds = await exports.traceIds([...new Set(found.map(({ entry }) => entry.runId))]);
  /**
   * The span ids are cached. Most lines belong to the same attempt as the line before, and a hash takes a fifth of the
   * time that a line takes.
   */
  const spanIds = new Map<string, string>();
  return found.flatMap(({ line, entry }) => {
    const traceId = traceIds.get(entry.runId);
    // Retention has removed the run.
    if (traceId === undefined) return [];
    const { runId, jobId, tenant } = entry;
    const attempt = `${runId} ${line.step_id} ${line.attempt}`;
    const spanId = spanIds.get(attempt) ?? attemptSpanId(runId, line.step_id, line.attempt);
    spanIds.set(attempt, spanId);
    const time = toTime(line.timestamp);
    return {
      hrTime: time,
      hrTimeObserved: time,
      severityNumber: severities[line.level],
      severityText: line.level,
      body: line.message,
      spanContext: { traceId, spanId, traceFlags: TraceFlags.SAMPLED },
      attributes: {
        'flwd.run_id': runId,
        'flwd.job_id': jobId,
        'flwd.tenant': tenant,
        'flwd.step_id': line.step_id,
        'flwd.attempt': line.attempt,
        'log.iostream': line.stream,
        ...(line.recovered && { 'flwd.recovered': true }),
        ...(line.fields && { 'flwd.fields': line.fields }),
      },
      droppedAttributesCount: 0,
      ...origin,
    };
  });
}

/** Converts RFC 3339 with microseconds to seconds and nanoseconds. */
function toTime(timestamp: string): LogRecord['hrTime'] {
  return [Math.floor(Date.parse(timestamp) / 1000), Number(timestamp.slice(20, 26)) * 1000];
}
