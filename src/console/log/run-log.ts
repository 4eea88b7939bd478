// The part of a run's log that a page holds. It opens at the end, at the start or around a line, follows new output,
// and reads more when the user scrolls.

import {
  type Dispatch,
  type RefObject,
  type SetStateAction,
  useCallback,
  useEffect,
  useEffectEvent,
  useMemo,
  useRef,
  useState,
} from 'react';
import { errorText } from '../../client/error-words.ts';
import {
  type LogFilter,
  type LogSource,
  type LogStart,
  linesAfter,
  linesBefore,
  readPage,
  startsLog,
  toLine,
  toQuery,
} from '../../client/log-pages.ts';
import { appended, extended, type LogStretch, prepended } from '../../client/log-stretch.ts';
import type { LogLine } from '../../domain/log-line.ts';
import { useClient } from '../session/session.tsx';
import { keepStream, useVisible } from '../session/streams.ts';

/** `error` stands for the first error of the log. Without an error, it stands for the end of the log. */
export type WantedStart = LogStart | 'error';

/** A place at which the log is opened. Each opening is a new object, even at the same place. */
export type Opening = { readonly source: Omit<LogSource, 'signal'>; readonly start: WantedStart };

type Held = LogStretch<LogLine> & {
  /** The run had a log that retention has removed. */
  readonly isExpired: boolean;
};

type Opened = {
  readonly opening: Opening;
  /** The place at which the log was opened. */
  readonly start: LogStart;
  readonly held: Held | null;
  /**
   * The last line that the server has reported, whether it is held or not; null: not known yet, because the held lines
   * do not reach the end of the log.
   */
  readonly toldSeq: number | null;
  /** How many lines the stream has brought since the log was opened. */
  readonly liveCount: number;
};

type SetOpened = Dispatch<SetStateAction<Opened>>;

export type RunLog = Pick<Opened, 'opening' | 'start' | 'held' | 'toldSeq' | 'liveCount'> & {
  readonly error: string | null;
  readonly jump: (start: LogStart) => void;
  readonly earlier: () => void;
  readonly later: () => void;
  /** Stores where the reader is: at a line, or at the end, which moves with new output. */
  readonly look: (at: 'end' | number) => void;
};

/** More lines would make the page slow. */
const mostLines = 2_000;
/**
 * How many lines are read first. They are drawn within a frame or two, and are several times as many as a window shows.
 */
const firstLines = 250;
const linesAbove = 100;
const drawMs = 60;
const readMs = 30_000;

/**
 * Opens the log at `start`. Opens it at `start` again for another run, step or attempt. For another level, the reader's
 * place stays.
 */
export function useRunLog(runId: string, filter: LogFilter, start: WantedStart): RunLog {
  const client = useClient();
  const lookedAt = useRef<WantedStart>(start);
  const { level, stepId, attempt = null } = filter;
  const source = useMemo(
    () => ({ client, runId, filter: { level, stepId, attempt } }),
    [client, runId, level, stepId, attempt],
  );
  const [wanted, setWanted] = useState<Opening>({ source, start });
  if (wanted.source !== source) {
    const { filter: before, runId: runBefore } = wanted.source;
    const isSameLog = runBefore === runId && before.stepId === stepId && before.attempt === attempt;
    const isInPlace = typeof start !== 'number' && isSameLog;
    setWanted({ source, start: isInPlace ? lookedAt.current : start });
  }
  const [opened, setOpened] = useState<Opened>(() => unread(wanted));
  const [error, setError] = useState<string | null>(null);
  useOpening(wanted, setOpened, setError);
  useLiveLines(opened, setOpened, { isWanted: opened.opening === wanted, lookedAt });
  const more = useMoreLines(opened, setOpened, setError);
  const jump = useCallback((to: LogStart) => setWanted((now) => ({ ...now, start: to })), []);
  const look = useCallback((at: 'end' | number) => {
    lookedAt.current = at;
  }, []);
  const { opening, start: openedAt, held, toldSeq, liveCount } = opened;
  return { opening, start: openedAt, held, toldSeq, liveCount, error, jump, look, ...more };
}

function unread(opening: Opening): Opened {
  return { opening, start: 'end', held: null, toldSeq: null, liveCount: 0 };
}

/** Reads the log at the wanted place. */
function useOpening(wanted: Opening, setOpened: SetOpened, setError: (error: string | null) => void): void {
  useEffect(() => {
    const ending = new AbortController();
    setError(null);
    openedLog({ ...wanted.source, signal: ending.signal }, wanted.start).then(
      ({ held, start }) => {
        if (ending.signal.aborted) return;
        setOpened({ opening: wanted, start, held, toldSeq: held.isToEnd ? lastOf(held) : null, liveCount: 0 });
      },
      (error: unknown) => {
        if (ending.signal.aborted) return;
        setError(errorText(error));
        // Held lines stay if they belong to the same log.
        setOpened((now) => (now.opening.source === wanted.source ? now : unread(wanted)));
      },
    );
    return () => ending.abort();
  }, [wanted, setOpened, setError]);
}

/** Follows the run's output. While the reader is not at the end, new lines are counted. */
function useLiveLines(
  opened: Opened,
  setOpened: SetOpened,
  o: { readonly isWanted: boolean; readonly lookedAt: RefObject<WantedStart> },
): void {
  const { opening, held, toldSeq } = opened;
  const isVisible = useVisible();
  const isToEnd = held?.isToEnd ?? false;
  const isLive = isVisible && o.isWanted && toldSeq !== null;
  /** The last line that the server has reported, and the last line that is held, when the stream is opened. */
  const known = useEffectEvent(() => ({ told: toldSeq ?? 0, last: isToEnd && held ? lastOf(held) : (toldSeq ?? 0) }));
  const { lookedAt } = o;
  useEffect(() => {
    if (!isLive) return undefined;
    const ending = new AbortController();
    let { told, last } = known();
    let newCount = 0;
    let waiting: LogLine[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const draw = (): void => {
      timer = undefined;
      const [lines, count, toldSeq, isFollowed] = [waiting, newCount, told, lookedAt.current === 'end'];
      [waiting, newCount] = [[], 0];
      setOpened((now) => {
        if (now.opening !== opening || !now.held) return now;
        const next = appended(now.held, lines, { mostLines, isFollowed });
        return { ...now, held: next, toldSeq, liveCount: now.liveCount + count };
      });
    };
    const { client, runId, filter } = opening.source;
    void keepStream(ending.signal, async (signal) => {
      const query = { ...toQuery(filter), last_event_id: String(last) };
      for await (const frame of client.stream('getRunLogs', { path: { run_id: runId }, query, signal })) {
        if (frame.event !== 'log') continue;
        const line = toLine(frame);
        last = line.seq;
        if (last > told) newCount++;
        told = Math.max(told, last);
        if (isToEnd) waiting.push(line);
        if (waiting.length > 2 * mostLines) waiting = waiting.slice(-mostLines - 1);
        timer ??= setTimeout(draw, drawMs);
      }
    });
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [opening, setOpened, isLive, isToEnd, lookedAt]);
}

/** Reads lines before and after the held ones, one page at a time. */
function useMoreLines(
  { opening, held }: Opened,
  setOpened: SetOpened,
  setError: (error: string) => void,
): Pick<RunLog, 'earlier' | 'later'> {
  const isReading = useRef(false);
  const more = useCallback(
    (read: (source: LogSource) => Promise<(held: Held) => Held>) => {
      if (isReading.current) return;
      isReading.current = true;
      read({ ...opening.source, signal: AbortSignal.timeout(readMs) })
        .finally(() => {
          isReading.current = false;
        })
        .then(
          (change) => setOpened((now) => (now.opening === opening ? changed(now, change) : now)),
          (error: unknown) => setError(errorText(error)),
        );
    },
    [opening, setOpened, setError],
  );
  const first = held?.lines[0]?.seq;
  const last = held?.lines.at(-1)?.seq;
  const isFromStart = held?.isFromStart ?? true;
  const isToEnd = held?.isToEnd ?? false;
  const earlier = useCallback(() => {
    if (first === undefined || isFromStart) return;
    more(async (source) => {
      const before = await linesBefore(source, first, firstLines);
      return (now) => (now.lines[0]?.seq === first ? prepended(now, before, mostLines) : now);
    });
  }, [more, first, isFromStart]);
  const later = useCallback(() => {
    if (last === undefined || isToEnd) return;
    more(async (source) => {
      const after = await linesAfter(source, last, firstLines);
      return (now) => (now.lines.at(-1)?.seq === last ? extended(now, after, mostLines) : now);
    });
  }, [more, last, isToEnd]);
  return { earlier, later };
}

function changed(opened: Opened, change: (held: Held) => Held): Opened {
  if (!opened.held) return opened;
  const held = change(opened.held);
  const toldSeq = held.isToEnd ? Math.max(opened.toldSeq ?? 0, lastOf(held)) : opened.toldSeq;
  return { ...opened, held, toldSeq };
}

async function openedLog(source: LogSource, wanted: WantedStart): Promise<{ held: Held; start: LogStart }> {
  const start = wanted === 'error' ? await firstError(source) : wanted;
  return { held: await heldAt(source, start), start };
}

async function firstError({ filter, ...source }: LogSource): Promise<LogStart> {
  const { lines } = await readPage({ ...source, filter: { ...filter, level: 'error' } }, { limit: 1 });
  return lines[0]?.seq ?? 'end';
}

async function heldAt(source: LogSource, start: LogStart): Promise<Held> {
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

function lastOf({ lines }: Held): number {
  return lines.at(-1)?.seq ?? 0;
}
