// The log of a run as a page holds it: opened at its end, its start or around a line; it follows what the run prints, and
// gets more when somebody scrolls out of it.

import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { errorText } from '../../client/error-words.ts';
import {
  type LogFilter,
  type LogSource,
  linesAfter,
  linesBefore,
  readPage,
  startsLog,
  toQuery,
} from '../../client/log-pages.ts';
import type { LogLine } from '../../domain/log-line.ts';
import { useClient } from '../session/session.tsx';
import { keepOpen, useVisible } from '../session/streams.ts';
import { appended, extended, type LogStretch, mostLines, prepended } from './log-stretch.ts';

/** `end`, `first`, or around the line of this `seq`. */
export type LogStart = 'end' | 'first' | number;

/** What is, or was, read afresh; another object each time. */
export type Opening = { readonly source: Omit<LogSource, 'signal'>; readonly start: LogStart };

type Opened = {
  readonly opening: Opening;
  readonly held: LogStretch | null;
  /** The last line that is known of, held or not; null: somewhere behind what is held. */
  readonly toldSeq: number | null;
  /** How many lines have come live since it was opened. */
  readonly liveCount: number;
};

export type RunLog = Pick<Opened, 'opening' | 'held' | 'liveCount'> & {
  readonly error: string | null;
  readonly jump: (start: LogStart) => void;
  readonly earlier: () => void;
  readonly later: () => void;
  /** Where somebody looks: at the end, wherever that comes to be, or from a line on. */
  readonly look: (at: 'end' | number) => void;
};

/** So many are drawn within a frame or two. */
const firstLines = 500;
const linesAbove = 200;
const drawMs = 60;
const readMs = 30_000;

/** `start` is where it opens, also when the filter leads to another log; a level leaves the reader in place. */
export function useRunLog(runId: string, filter: LogFilter, start: LogStart): RunLog {
  const client = useClient();
  const isVisible = useVisible();
  const lookedAt = useRef<LogStart>(start);
  const { level, stepId, attempt = null } = filter;
  const source = useMemo(
    () => ({ client, runId, filter: { level, stepId, attempt } }),
    [client, runId, level, stepId, attempt],
  );
  const [wanted, setWanted] = useState<Opening>({ source, start });
  if (wanted.source !== source) {
    const before = wanted.source.filter;
    const isInPlace = start === 'end' && before.stepId === stepId && before.attempt === attempt;
    setWanted({ source, start: isInPlace ? lookedAt.current : start });
  }
  const [opened, setOpened] = useState<Opened>({ opening: wanted, held: null, toldSeq: null, liveCount: 0 });
  const [error, setError] = useState<string | null>(null);

  useEffect(() => {
    const ending = new AbortController();
    setError(null);
    openedLog({ ...wanted.source, signal: ending.signal }, wanted.start).then(
      (held) => {
        if (ending.signal.aborted) return;
        setOpened({ opening: wanted, held, toldSeq: held.isToEnd ? lastOf(held) : null, liveCount: 0 });
      },
      (error: unknown) => {
        if (ending.signal.aborted) return;
        setError(errorText(error));
        // What is held of this log may stay.
        setOpened((now) =>
          now.opening.source === wanted.source ? now : { opening: wanted, held: null, toldSeq: null, liveCount: 0 },
        );
      },
    );
    return () => ending.abort();
  }, [wanted]);

  const { opening, held } = opened;
  const setHeld = useCallback(
    (change: (held: LogStretch) => LogStretch) =>
      setOpened((now) => {
        if (now.opening !== opening || !now.held) return now;
        const next = change(now.held);
        return {
          ...now,
          held: next,
          toldSeq: next.isToEnd ? Math.max(now.toldSeq ?? 0, lastOf(next)) : now.toldSeq,
        };
      }),
    [opening],
  );

  const latest = useRef(opened);
  latest.current = opened;
  const isToEnd = held?.isToEnd ?? false;
  // Of somebody who has left the end, what comes there is counted.
  const isLive = isVisible && opening === wanted && opened.toldSeq !== null;
  useEffect(() => {
    if (!isLive) return undefined;
    const ending = new AbortController();
    const from = latest.current;
    let told = from.toldSeq ?? 0;
    let lastId = String(isToEnd && from.held ? lastOf(from.held) : told);
    let newCount = 0;
    let waiting: LogLine[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const draw = (): void => {
      timer = undefined;
      const [lines, count, toldSeq] = [waiting, newCount, told];
      [waiting, newCount] = [[], 0];
      setOpened((now) => {
        if (now.opening !== opening || !now.held) return now;
        const next = appended(now.held, lines, lookedAt.current === 'end');
        return { ...now, held: next, toldSeq, liveCount: now.liveCount + count };
      });
    };
    void keepOpen(ending.signal, async (signal) => {
      const query = { ...toQuery(opening.source.filter), last_event_id: lastId };
      const frames = client.stream('getRunLogs', { path: { run_id: runId }, query, signal });
      for await (const { event, id, data } of frames) {
        if (event !== 'log') continue;
        lastId = id;
        const line = toLine(id, data);
        if (line.seq > told) newCount++;
        told = Math.max(told, line.seq);
        if (isToEnd) waiting.push(line);
        if (waiting.length > 2 * mostLines) waiting = waiting.slice(-mostLines - 1);
        timer ??= setTimeout(draw, drawMs);
      }
    });
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [client, runId, opening, isLive, isToEnd]);

  const isReading = useRef(false);
  const more = useCallback(
    (read: (source: LogSource) => Promise<(held: LogStretch) => LogStretch>) => {
      if (isReading.current) return;
      isReading.current = true;
      read({ ...opening.source, signal: AbortSignal.timeout(readMs) })
        .finally(() => {
          isReading.current = false;
        })
        .then(setHeld, (error: unknown) => setError(errorText(error)));
    },
    [opening, setHeld],
  );
  const first = held?.lines[0]?.seq;
  const last = held?.lines.at(-1)?.seq;
  const isFromStart = held?.isFromStart ?? true;
  const earlier = useCallback(() => {
    if (first === undefined || isFromStart) return;
    more(async (source) => {
      const before = await linesBefore(source, first, firstLines);
      return (now) => (now.lines[0]?.seq === first ? prepended(now, before.lines, before.isFromStart) : now);
    });
  }, [more, first, isFromStart]);
  const later = useCallback(() => {
    if (last === undefined || isToEnd) return;
    more(async (source) => {
      const after = await linesAfter(source, last, firstLines);
      return (now) => (now.lines.at(-1)?.seq === last ? extended(now, after.lines, after.isLast) : now);
    });
  }, [more, last, isToEnd]);
  const jump = useCallback((to: LogStart) => setWanted((now) => ({ ...now, start: to })), []);
  const look = useCallback((at: 'end' | number) => {
    lookedAt.current = at;
  }, []);
  return { opening, held, liveCount: opened.liveCount, error, jump, earlier, later, look };
}

async function openedLog(source: LogSource, start: LogStart): Promise<LogStretch> {
  if (start === 'end') {
    const { lines, isExpired } = await readPage(source, { tail: firstLines });
    return { lines, isFromStart: startsLog(lines), isToEnd: true, isExpired };
  }
  const after = start === 'first' ? 0 : start - 1;
  const [before, page] = await Promise.all([
    linesBefore(source, after + 1, linesAbove),
    readPage(source, { cursor: String(after), limit: firstLines - linesAbove }),
  ]);
  const { isFromStart } = before;
  return { lines: [...before.lines, ...page.lines], isFromStart, isToEnd: page.isLast, isExpired: page.isExpired };
}

function lastOf({ lines }: LogStretch): number {
  return lines.at(-1)?.seq ?? 0;
}

function toLine(id: string, data: Readonly<Record<string, unknown>>): LogLine {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a frame is a line without its seq, by the contract
  return { ...data, seq: Number(id) } as LogLine;
}
