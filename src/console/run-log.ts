// The log of a run as a page holds it: opened at its end, its start or around a line; it follows what the run prints, and
// gets more when somebody scrolls out of it.

import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { faultText } from '../client/fault-words.ts';
import { type LogFilter, type LogSource, linesAfter, linesBefore, pageAfter, toQuery } from '../client/log-pages.ts';
import type { LogLine } from '../domain/log-line.ts';
import { keepOpen, useVisible } from './loading.ts';
import { appended, extended, type LogStretch, mostLines, prepended } from './log-stretch.ts';
import { useClient } from './session.tsx';

/** `end`, `first`, or around the line of this `seq`. */
export type LogStart = 'end' | 'first' | number;

export type RunLog = {
  readonly held: LogStretch | null;
  readonly fault: string | null;
  /** How many lines have come live since it was opened. */
  readonly liveCount: number;
  /** Where that was opened; another object for each opening. */
  readonly opening: Opening;
  readonly jump: (start: LogStart) => void;
  readonly earlier: () => void;
  readonly later: () => void;
  /** Somebody looks at its last line. */
  readonly follow: (isFollowed: boolean) => void;
};

type Opening = { readonly start: LogStart };
type Opened = Pick<RunLog, 'held' | 'liveCount' | 'opening'>;

/** So many are drawn within a frame or two. */
const firstLines = 500;
const linesAbove = 200;
const drawMs = 60;

export function useRunLog(runId: string, filter: LogFilter, start: LogStart): RunLog {
  const client = useClient();
  const isVisible = useVisible();
  const [opened, setOpened] = useState<Opened>(() => ({ held: null, liveCount: 0, opening: { start } }));
  const [fault, setFault] = useState<string | null>(null);
  const [opening, setOpening] = useState(opened.opening);
  const { held } = opened;
  const setHeld = useCallback(
    (change: (held: LogStretch) => LogStretch) =>
      setOpened((now) => (now.held ? { ...now, held: change(now.held) } : now)),
    [],
  );
  const isFollowed = useRef(true);
  const isReading = useRef(false);
  const { level, stepId, attempt = null } = filter;
  const source = useMemo(
    (): Omit<LogSource, 'signal'> => ({ client, runId, filter: { level, stepId, attempt } }),
    [client, runId, level, stepId, attempt],
  );

  useEffect(() => {
    const ending = new AbortController();
    setFault(null);
    openedLog({ ...source, signal: ending.signal }, opening.start).then(
      (stretch) => {
        if (!ending.signal.aborted) setOpened({ held: stretch, liveCount: 0, opening });
      },
      (error: unknown) => {
        if (!ending.signal.aborted) setFault(faultText(error));
      },
    );
    return () => ending.abort();
  }, [source, opening]);

  const lastSeq = useRef(0);
  lastSeq.current = held?.lines.at(-1)?.seq ?? 0;
  const isLive = isVisible && (held?.isToEnd ?? false);
  useEffect(() => {
    if (!isLive) return undefined;
    const ending = new AbortController();
    let waiting: LogLine[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    let lastId = String(lastSeq.current);
    const draw = (): void => {
      timer = undefined;
      const lines = waiting;
      waiting = [];
      setOpened((now) => {
        if (!now.held) return now;
        const liveCount = now.liveCount + lines.length;
        return { ...now, held: appended(now.held, lines, isFollowed.current), liveCount };
      });
    };
    void keepOpen(ending.signal, async (signal) => {
      const query = { ...toQuery(source.filter), last_event_id: lastId };
      for await (const { event, id, data } of client.stream('getRunLogs', { path: { run_id: runId }, query, signal })) {
        if (event !== 'log') continue;
        lastId = id;
        waiting.push(toLine(id, data));
        if (waiting.length > 2 * mostLines) waiting = waiting.slice(-mostLines - 1);
        timer ??= setTimeout(draw, drawMs);
      }
    });
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [source, opened.opening, isLive]);

  const read = useCallback((reading: () => Promise<void>) => {
    if (isReading.current) return;
    isReading.current = true;
    const done = (): void => {
      isReading.current = false;
    };
    reading().then(done, (error: unknown) => {
      done();
      setFault(faultText(error));
    });
  }, []);
  const first = held?.lines[0]?.seq;
  const last = held?.lines.at(-1)?.seq;
  const earlier = useCallback(() => {
    if (first === undefined || held?.isFromStart !== false) return;
    read(async () => {
      const before = await linesBefore({ ...source, signal: AbortSignal.timeout(30_000) }, first, firstLines);
      setHeld((now) => (now.lines[0]?.seq === first ? prepended(now, before.lines, before.isFromStart) : now));
    });
  }, [read, source, first, held?.isFromStart, setHeld]);
  const later = useCallback(() => {
    if (last === undefined || held?.isToEnd !== false) return;
    read(async () => {
      const after = await linesAfter({ ...source, signal: AbortSignal.timeout(30_000) }, last, firstLines);
      setHeld((now) => (now.lines.at(-1)?.seq === last ? extended(now, after.lines, after.isLast) : now));
    });
  }, [read, source, last, held?.isToEnd, setHeld]);
  const jump = useCallback((to: LogStart) => setOpening({ start: to }), []);
  const follow = useCallback((is: boolean) => {
    isFollowed.current = is;
  }, []);
  return { held, fault, liveCount: opened.liveCount, opening: opened.opening, jump, earlier, later, follow };
}

async function openedLog(source: LogSource, start: LogStart): Promise<LogStretch> {
  if (start === 'end') {
    const { lines, isExpired } = await pageAfter(source, { tail: firstLines });
    return { lines, isFromStart: lines.length < firstLines && (lines[0]?.seq ?? 1) === 1, isToEnd: true, isExpired };
  }
  const after = start === 'first' ? 0 : Math.max(0, start - 1 - linesAbove);
  const { lines, isLast, isExpired } = await pageAfter(source, { cursor: String(after), limit: firstLines });
  return { lines, isFromStart: after === 0, isToEnd: isLast, isExpired };
}

function toLine(id: string, data: Readonly<Record<string, unknown>>): LogLine {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a frame is a line without its seq, by the contract
  return { ...data, seq: Number(id) } as LogLine;
}
