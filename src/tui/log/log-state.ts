// The part of a run's log that is in memory. It follows the run's output, and reads more when the user scrolls.

import { useCallback, useEffect, useEffectEvent, useMemo, useReducer, useRef, useState } from 'react';
import { errorText } from '../../client/error-words.ts';
import {
  type LogFilter,
  type LogSource,
  type LogStart,
  linesAfter,
  linesBefore,
  pageLines,
  readPage,
  startsLog,
  toLine,
  toQuery,
} from '../../client/log-pages.ts';
import { keepOpen } from '../../client/retrying.ts';
import { useScreenContext } from '../screen.ts';
import {
  emptyLog,
  type HeldLine,
  heldLine,
  type LogView,
  mostLines,
  withEarlier,
  withLast,
  withLater,
} from './log-view.ts';

const linesAbove = 200;
/** How many lines are shown above the line to which the view jumps. */
const linesInSight = 3;
/** More lines are read when the screen is this close to the first or last line in memory. */
const marginLines = 200;
const retryMs = 1_000;
const drawMs = 50;

export type Log = {
  readonly view: LogView;
  readonly change: (change: (view: LogView) => LogView) => void;
  /** Reads the log again from the given place. */
  readonly jump: (start: LogStart) => void;
  readonly isReading: boolean;
  readonly note: string | null;
};

type ChangeView = Log['change'];

export function useLog(isActive: boolean, runId: string, filter: LogFilter, rows: number): Log {
  const { client } = useScreenContext();
  const [view, change] = useReducer((held: LogView, change: (held: LogView) => LogView) => change(held), emptyLog);
  const { level, stepId } = filter;
  const source = useMemo(() => ({ client, runId, filter: { level, stepId } }), [client, runId, level, stepId]);
  const { isReading, note, jump } = useOpenedLog(isActive, source, change);
  const followError = useLiveLines(isActive && !isReading && view.isToEnd, source, view, change);
  useMore({ view, rows, isReady: isActive && !isReading, change, source });
  return { view, change, jump, isReading, note: followError ?? note };
}

/** The log to read. A new object means another run, step or level. */
type Source = Omit<LogSource, 'signal'>;

/** Reads the log at the place that `jump` asked for. */
function useOpenedLog(isActive: boolean, source: Source, change: ChangeView): Pick<Log, 'isReading' | 'note' | 'jump'> {
  const { epoch } = useScreenContext();
  const [opening, setOpening] = useState<{ readonly start: LogStart }>({ start: 'end' });
  const [isReading, setReading] = useState(true);
  const [note, setNote] = useState<string | null>(null);
  const { level, stepId } = source.filter;
  const wanted = useMemo(() => ({ level, stepId, opening }), [level, stepId, opening]);
  const had = useRef<typeof wanted | null>(null);
  // A log that could not be read is read again when the server is reachable again.
  useEffect(() => {
    if (!isActive || had.current === wanted) return undefined;
    const ending = new AbortController();
    setReading(true);
    openedLog({ ...source, signal: ending.signal }, opening.start).then(
      ({ isExpired, ...opened }) => {
        if (ending.signal.aborted) return;
        had.current = wanted;
        change(() => opened);
        setNote(isExpired ? 'The log was deleted when its retention time ended.' : null);
        setReading(false);
      },
      (error: unknown) => {
        if (!ending.signal.aborted) setNote(errorText(error));
      },
    );
    return () => ending.abort();
  }, [source, wanted, isActive, isReading ? epoch : 0]);
  const jump = useCallback((start: LogStart) => setOpening({ start }), []);
  return { isReading, note, jump };
}

/**
 * Follows the run's output.
 * @returns the reason if this has failed; otherwise null
 */
function useLiveLines(isLive: boolean, source: Source, view: LogView, change: ChangeView): string | null {
  const { epoch } = useScreenContext();
  const [error, setError] = useState<string | null>(null);
  const lastSeq = useEffectEvent(() => view.lines.at(-1)?.seq ?? 0);
  useEffect(() => {
    setError(null);
    if (!isLive) return undefined;
    const ending = new AbortController();
    const { signal } = ending;
    let waiting: HeldLine[] = [];
    let timer: NodeJS.Timeout | undefined;
    const draw = (): void => {
      timer = undefined;
      const lines = waiting;
      waiting = [];
      change((held) => withLast(held, lines));
    };
    let last = lastSeq();
    const { client, runId, filter } = source;
    const follow = async (): Promise<boolean> => {
      const query = { ...toQuery(filter), last_event_id: String(last) };
      for await (const frame of client.stream('getRunLogs', { path: { run_id: runId }, query, signal })) {
        if (frame.event !== 'log') continue;
        const line = toLine(frame);
        last = line.seq;
        waiting.push(heldLine(line));
        // Older lines are dropped here, because the view would drop them anyway.
        if (waiting.length > 2 * mostLines) waiting = waiting.slice(-mostLines - 1);
        timer ??= setTimeout(draw, drawMs);
      }
      return true;
    };
    void keepOpen({ signal, retryMs }, follow).then((error) => {
      if (error !== undefined) setError(errorText(error));
    });
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [source, isLive, epoch, change]);
  return error;
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
  readonly change: ChangeView;
  readonly source: Source;
}): void {
  const { view, rows, isReady, change, source } = o;
  const { lines, isFromStart, isToEnd, isFollowing, top } = view;
  const first = lines[0]?.seq;
  const last = lines.at(-1)?.seq;
  const wantsEarlier = isReady && !isFromStart && !isFollowing && top < marginLines;
  const wantsLater = isReady && !isToEnd && !wantsEarlier && top + rows > lines.length - marginLines;
  useEffect(() => {
    if (!wantsEarlier || first === undefined) return undefined;
    const ending = new AbortController();
    linesBefore({ ...source, signal: ending.signal }, first).then(
      (before) =>
        change((held) =>
          held.lines[0]?.seq === first ? withEarlier(held, { ...before, lines: before.lines.map(heldLine) }) : held,
        ),
      ignore,
    );
    return () => ending.abort();
  }, [wantsEarlier, first, source, change]);
  useEffect(() => {
    if (!wantsLater) return undefined;
    const ending = new AbortController();
    linesAfter({ ...source, signal: ending.signal }, last ?? 0).then(
      (after) =>
        change((held) =>
          held.lines.at(-1)?.seq === last ? withLater(held, { ...after, lines: after.lines.map(heldLine) }) : held,
        ),
      ignore,
    );
    return () => ending.abort();
  }, [wantsLater, last, source, change]);
}

/** Errors are ignored here: the next scroll tries again. */
function ignore(): void {}
