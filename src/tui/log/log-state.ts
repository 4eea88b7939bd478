// The log of a run on the screen, kept up to date: it holds a stretch of lines, follows what the run prints, and gets more
// when somebody scrolls out of it.

import { setTimeout as pause } from 'node:timers/promises';
import { useCallback, useEffect, useMemo, useReducer, useRef, useState } from 'react';
import { errorText, isPassing } from '../../client/error-words.ts';
import {
  type LogFilter,
  type LogSource,
  linesAfter,
  linesBefore,
  pageLines,
  readPage,
  startsLog,
  toQuery,
} from '../../client/log-pages.ts';
import type { LogLine } from '../../domain/log-line.ts';
import { useSurroundings } from '../screen.ts';
import {
  appended,
  emptyLog,
  extended,
  type HeldLine,
  heldLine,
  type LogView,
  mostLines,
  prepended,
} from './log-view.ts';

/** Where to begin: at the end, at the first line, or around this `seq`. */
type LogStart = 'end' | 'first' | number;

const linesAbove = 200;
/** Above the line that is jumped to. */
const linesInSight = 3;
/** How near the edge of what is held somebody may come before more is asked for. */
const marginLines = 200;
const retryMs = 1_000;
const drawMs = 50;

export type Log = {
  readonly view: LogView;
  readonly change: (change: (view: LogView) => LogView) => void;
  /** Reads afresh from there. */
  readonly jump: (start: LogStart) => void;
  readonly isReading: boolean;
  readonly note: string | null;
};

export function useLog(isActive: boolean, runId: string, filter: LogFilter, rows: number): Log {
  const { client, epoch } = useSurroundings();
  const [view, change] = useReducer((held: LogView, change: (held: LogView) => LogView) => change(held), emptyLog);
  const [opening, setOpening] = useState<{ readonly start: LogStart }>({ start: 'end' });
  const [isReading, setReading] = useState(true);
  const [note, setNote] = useState<string | null>(null);
  const [followError, setFollowError] = useState<string | null>(null);
  const latest = useRef(view);
  latest.current = view;
  const { level, stepId } = filter;
  const wanted = useMemo(() => ({ level, stepId, opening }), [level, stepId, opening]);
  const had = useRef<typeof wanted | null>(null);

  // it is read anew for a server found again while it could not be read
  useEffect(() => {
    if (!isActive || had.current === wanted) return undefined;
    const ending = new AbortController();
    const source = { client, runId, filter: { level, stepId }, signal: ending.signal };
    setReading(true);
    openedLog(source, opening.start).then(
      ({ isExpired, ...opened }) => {
        if (ending.signal.aborted) return;
        had.current = wanted;
        change(() => opened);
        setNote(isExpired ? 'The log has been removed, as its retention says.' : null);
        setReading(false);
      },
      (error: unknown) => {
        if (!ending.signal.aborted) setNote(errorText(error));
      },
    );
    return () => ending.abort();
  }, [client, runId, wanted, isActive, isReading ? epoch : 0]);

  const isLive = isActive && !isReading && view.isToEnd;
  useEffect(() => {
    setFollowError(null);
    if (!isLive) return undefined;
    const ending = new AbortController();
    const { signal } = ending;
    let waiting: HeldLine[] = [];
    let timer: NodeJS.Timeout | undefined;
    const draw = (): void => {
      timer = undefined;
      const lines = waiting;
      waiting = [];
      change((held) => appended(held, lines));
    };
    let lastId = String(latest.current.lines.at(-1)?.seq ?? 0);
    const follow = async (): Promise<void> => {
      const query = { ...toQuery({ level, stepId }), last_event_id: lastId };
      for await (const { event, id, data } of client.stream('getRunLogs', { path: { run_id: runId }, query, signal })) {
        if (event !== 'log') continue;
        lastId = id;
        waiting.push(heldLine(toLine(id, data)));
        // No more of them can be held.
        if (waiting.length > 2 * mostLines) waiting = waiting.slice(-mostLines - 1);
        timer ??= setTimeout(draw, drawMs);
      }
    };
    const keepFollowing = async (): Promise<void> => {
      while (!signal.aborted) {
        try {
          await follow();
          return;
        } catch (error) {
          if (signal.aborted) return;
          if (!isPassing(error)) {
            setFollowError(errorText(error));
            return;
          }
          await pause(retryMs);
        }
      }
    };
    void keepFollowing();
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [client, runId, level, stepId, isLive, epoch]);

  useMore({ view, rows, isReady: isActive && !isReading, change, source: { client, runId, level, stepId } });

  const jump = useCallback((start: LogStart) => setOpening({ start }), []);
  return { view, change, jump, isReading, note: followError ?? note };
}

async function openedLog(source: LogSource, start: LogStart): Promise<LogView & { readonly isExpired: boolean }> {
  if (start === 'end') {
    const { lines, isExpired } = await readPage(source, { tail: pageLines });
    return {
      ...emptyLog,
      lines: lines.map(heldLine),
      isFromStart: startsLog(lines),
      isToEnd: true,
      isExpired,
    };
  }
  const seq = start === 'first' ? 0 : start;
  const after = Math.max(0, seq - 1 - linesAbove);
  const { lines, isLast, isExpired } = await readPage(source, { cursor: String(after), limit: pageLines });
  const top = Math.max(0, lines.findIndex((line) => line.seq >= seq) - linesInSight);
  return {
    lines: lines.map(heldLine),
    isFromStart: after === 0,
    isToEnd: isLast,
    isFollowing: false,
    top,
    isExpired,
  };
}

function useMore(o: {
  readonly view: LogView;
  readonly rows: number;
  readonly isReady: boolean;
  readonly change: Log['change'];
  readonly source: Pick<Parameters<typeof openedLog>[0], 'client' | 'runId'> & LogFilter;
}): void {
  const { view, rows, isReady, change } = o;
  const { client, runId, level, stepId } = o.source;
  const { lines, isFromStart, isToEnd, isFollowing, top } = view;
  const first = lines[0]?.seq;
  const last = lines.at(-1)?.seq;
  const wantsEarlier = isReady && !isFromStart && !isFollowing && top < marginLines;
  const wantsLater = isReady && !isToEnd && !wantsEarlier && top + rows > lines.length - marginLines;
  useEffect(() => {
    if (!wantsEarlier || first === undefined) return undefined;
    const ending = new AbortController();
    const source = { client, runId, filter: { level, stepId }, signal: ending.signal };
    linesBefore(source, first).then(
      (before) =>
        change((held) =>
          held.lines[0]?.seq === first ? prepended(held, before.lines.map(heldLine), before.isFromStart) : held,
        ),
      leaveIt,
    );
    return () => ending.abort();
  }, [wantsEarlier, first, client, runId, level, stepId, change]);
  useEffect(() => {
    if (!wantsLater) return undefined;
    const ending = new AbortController();
    const source = { client, runId, filter: { level, stepId }, signal: ending.signal };
    linesAfter(source, last ?? 0).then(
      (after) =>
        change((held) =>
          held.lines.at(-1)?.seq === last ? extended(held, after.lines.map(heldLine), after.isLast) : held,
        ),
      leaveIt,
    );
    return () => ending.abort();
  }, [wantsLater, last, client, runId, level, stepId, change]);
}

/** The next scroll asks again. */
function leaveIt(): void {}

function toLine(id: string, data: Readonly<Record<string, unknown>>): LogLine {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a frame is a line without its seq, by the contract
  return { ...data, seq: Number(id) } as LogLine;
}
