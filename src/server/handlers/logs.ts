// GET /runs/{run_id}/logs: one page as JSON, the whole log as text or JSON lines, or a live stream. GET /logs: searches
// the logs of all runs that the caller may see.

import type { QueryOf } from '../../contract/operations.ts';
import type { LogLine } from '../../domain/log-line.ts';
import { assertReached } from '../../domain/principal.ts';
import { Problem, validationError } from '../../domain/problem.ts';
import type { Hub } from '../../engine/hub.ts';
import { parseTimestampUs, toTimestamp } from '../../lib/clock.ts';
import { defined } from '../../lib/defined.ts';
import { isPlaceholder } from '../../store/log/log-placeholder.ts';
import type { LogForm } from '../../store/log/logs.ts';
import type { ReadableLog, RunReading } from '../../store/reading.ts';
import { preferredType } from '../answers/preferred-type.ts';
import type { Exchange, Handlers } from '../exchange.ts';
import { lastEventId } from '../streams/event-ids.ts';
import { followLog, type LogFilter } from '../streams/log-follow.ts';
import type { StreamWriter } from '../streams/open-stream.ts';
import { eventStream, type Streams } from '../streams/streams.ts';
import { cursorError, toMs } from './query-values.ts';

type Query = QueryOf<'getRunLogs'>;

const pageLines = 1000;
const usualLines = 100;

export function createLogHandlers(o: {
  readonly runs: RunReading;
  readonly hub: Hub;
  readonly streams: Streams;
  readonly jobIdOf: (idOrAlias: string) => string;
}): Pick<Handlers, 'getRunLogs' | 'searchLogs'> {
  return {
    async searchLogs({ request: { principal }, query }) {
      const { q: text, job_id: job, limit = usualLines, since, until, ...rest } = query;
      assertReached(principal, query.tenant);
      const jobId = job === undefined ? undefined : o.jobIdOf(job);
      const filter = defined({ ...rest, text, jobId, sinceMs: toMs(since), untilMs: toMs(until) });
      const page = await o.runs.searchLogs({ ...filter, limit }, principal);
      return {
        hits: page.hits.map(({ runId, jobId: ofJob, ...line }) => ({ run_id: runId, job_id: ofJob, ...line })),
        next_cursor: page.nextCursor,
        searched: {
          from: page.fromMs === null ? null : toTimestamp(page.fromMs),
          bytes: page.bytes,
          segments: page.segments,
          unreadable: page.unreadable,
        },
      };
    },

    async getRunLogs({ request, reply, path, query }) {
      const type = preferredType(request.raw.headers.accept, [
        'application/json',
        'text/plain',
        'application/x-ndjson',
        eventStream,
      ]);
      const isStream = query.follow === true || (query.follow === undefined && type === eventStream);
      const afterSeq = isStream ? resumeAfter({ request, query }) : afterCursor(query);
      const log = await o.runs.log(path.run_id, request.principal);
      const filter = filterOf(query);
      if (isStream) {
        const start = afterSeq ?? (await startOf(log, query));
        return o.streams.send(request, reply, eventStream, (writer) =>
          followLog({ log, hub: o.hub }, { afterSeq: start, filter }, writer),
        );
      }
      if (type === 'text/plain' || type === 'application/x-ndjson') {
        const form = type === 'text/plain' ? 'text' : 'json';
        const mediaType = type === 'text/plain' ? 'text/plain; charset=utf-8' : type;
        return o.streams.send(request, reply, mediaType, (writer) => sendLines(log, query, form, writer));
      }
      const page = await pageOf(log, query);
      const [first] = page.lines;
      const last = page.lines.at(-1);
      if (first && last && page.lines.every(isPlaceholder))
        throw new Problem('log-damaged', first.message, { next_cursor: String(last.seq) });
      return {
        logs: page.lines,
        next_cursor: page.nextSeq === null ? null : String(page.nextSeq),
        ...(page.isExpired && { logs_expired: true }),
      };
    },
  };
}

function pageOf(log: ReadableLog, query: Query): ReturnType<ReadableLog['page']> {
  const { tail, limit } = query;
  return log.page({ limit: limit ?? tail ?? pageLines, ...defined({ tail }), ...selectionOf(query) });
}

function selectionOf(query: Query) {
  return defined({
    ...filterOf(query),
    afterSeq: afterCursor(query),
    beforeSeq: query.before,
    sinceUs: toUs(query.since),
  });
}

/** Where a stream without `Last-Event-ID` begins: at `cursor`, or `tail` lines before the end, or after `since`. */
async function startOf(log: ReadableLog, query: Query): Promise<number> {
  const { tail, since } = query;
  const cursor = afterCursor(query) ?? 0;
  if (tail === undefined && since === undefined) return cursor;
  const last = (await log.page({ tail: 1, limit: 1 })).lines[0]?.seq ?? 0;
  const { lines } = await pageOf(log, { ...query, limit: tail ?? 1 });
  const [first] = lines;
  return first ? first.seq - 1 : Math.max(cursor, last);
}

async function sendLines(
  log: ReadableLog,
  query: Query,
  form: LogForm,
  { signal, write }: StreamWriter,
): Promise<void> {
  const toText = form === 'text' ? messageOf : jsonOf;
  if (query.tail !== undefined) {
    await write((await pageOf(log, query)).lines.map(toText).join(''));
    return;
  }
  if (query.limit !== undefined) {
    let { limit: left, cursor } = query;
    while (left > 0 && !signal.aborted) {
      const { lines, nextSeq } = await pageOf(log, { ...query, limit: left, ...defined({ cursor }) });
      await write(lines.map(toText).join(''));
      if (nextSeq === null) return;
      left -= lines.length;
      cursor = String(nextSeq);
    }
    return;
  }
  // The answer ends where the log ends at this moment. Otherwise the answer for a job that never stops would never end.
  const last = (await log.page({ tail: 1, limit: 1, ...defined({ beforeSeq: query.before }) })).lines[0]?.seq ?? 0;
  for await (const piece of log.pieces(form, { ...selectionOf(query), beforeSeq: last + 1 })) {
    await write(piece);
    if (signal.aborted) return;
  }
}

function messageOf(line: LogLine): string {
  return `${line.message}\n`;
}

function jsonOf(line: LogLine): string {
  return `${JSON.stringify(line)}\n`;
}

function filterOf({ level, step_id: stepId, attempt, q: text }: Query): LogFilter {
  return { level, stepId, attempt, text };
}

/** @throws Problem validation-error */
function resumeAfter({ request, query }: Pick<Exchange<'getRunLogs'>, 'request' | 'query'>): number | undefined {
  const wrong = (['limit', 'before'] as const).filter((name) => query[name] !== undefined);
  if (wrong.length === 0) return lastEventId(request, query.last_event_id);
  throw validationError(
    wrong.map((name) => ({ pointer: `?${name}`, message: 'cannot be used with a live stream', keyword: 'not' })),
  );
}

/** @throws Problem validation-error */
function afterCursor({ cursor }: Query): number | undefined {
  if (cursor === undefined) return undefined;
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw cursorError();
}

function toUs(since: string | undefined): number | undefined {
  return since === undefined ? undefined : parseTimestampUs(since);
}
