// The log on the screen of a run: its filters, its position and its search.

import { useEffect, useMemo, useState } from 'react';
import { failingStep } from '../../client/shown-steps.ts';
import { type LogLevel, logLevels } from '../../domain/log-line.ts';
import { type LogSearch, useLogSearch } from '../log/log-search.ts';
import { type Log, useLog } from '../log/log-state.ts';
import { scrolled, topOf } from '../log/log-view.ts';
import type { Press } from '../presses.ts';
import { editText, emptyText, type TextEdit } from '../text-edit.ts';
import type { RunAnswer } from './run-parts.ts';

export type ShownLog = {
  readonly log: Log;
  readonly search: LogSearch;
  readonly found: ReadonlySet<number>;
  readonly level: LogLevel;
  /** The step whose lines are shown; null for all steps. */
  readonly stepId: string | null;
  /** How many columns are hidden on the left, because the user has scrolled. */
  readonly left: number;
  /** The search text that is being typed; null: nothing is being typed. */
  readonly typing: TextEdit | null;
  /** Shows only the lines of this step. If it already does, shows the lines of all steps again. */
  readonly toggleStep: (stepId: string) => void;
  /** Returns true if the log has handled the press. */
  readonly take: (press: Press) => boolean;
};

const sideways = 20;

export function useShownLog(isActive: boolean, runId: string, run: RunAnswer | null, rows: number): ShownLog {
  const [level, setLevel] = useState<LogLevel>('trace');
  const [stepId, setStepId] = useState<string | null>(null);
  const [left, setLeft] = useState(0);
  const [typing, setTyping] = useState<TextEdit | null>(null);
  // The step whose log is shown is chosen only once, when the screen opens. Otherwise the log would jump if a step
  // failed while the user reads it.
  const [openedFor, setOpenedFor] = useState<string | null>(null);
  useEffect(() => {
    if (run === null || openedFor === run.run_id) return;
    setOpenedFor(run.run_id);
    setStepId(failingStep(run, { hasSubRuns: false }));
  }, [run, openedFor]);
  // The log is read only after the run, because before it is not known which step's log to show.
  const log = useLog(isActive && openedFor === runId, runId, { level, stepId }, rows);
  const search = useLogSearch({ runId, level, stepId, rows }, log);
  const found = useMemo(() => new Set(search.found), [search.found]);

  function onTyping(edit: TextEdit, press: Press): boolean {
    if (press.key === 'enter') search.find(edit.text);
    if (press.key === 'enter' || press.key === 'esc') setTyping(null);
    else setTyping(editText(edit, press) ?? edit);
    return true;
  }

  /** Changes the filters. The log then shows lines near the same place. */
  function narrow(nextLevel: LogLevel, nextStepId: string | null): void {
    setLevel(nextLevel);
    setStepId(nextStepId);
    search.clear();
    const { view } = log;
    const seq = view.lines[topOf(view, rows)]?.seq;
    log.jump(view.isFollowing || seq === undefined || nextStepId !== stepId ? 'end' : seq);
  }

  function onKey(key: string): boolean {
    if (moveLog(log, key, rows)) return true;
    if (key === 'left') setLeft(Math.max(0, left - sideways));
    else if (key === 'right') setLeft(left + sideways);
    else if (key === 'l') narrow(logLevels[(logLevels.indexOf(level) + 1) % logLevels.length] ?? 'trace', stepId);
    else if (key === '/') setTyping(emptyText);
    else if (key === 'n' || key === 'N') search.go(key === 'n' ? 1 : -1);
    else return false;
    return true;
  }
  const take = (press: Press): boolean => (typing ? onTyping(typing, press) : onKey(press.key));
  const toggleStep = (id: string): void => narrow(level, stepId === id ? null : id);
  return { log, search, found, level, stepId, left, typing, toggleStep, take };
}

/** @returns whether the key moves the log */
function moveLog(log: Log, key: string, rows: number): boolean {
  const by = { up: -1, k: -1, down: 1, j: 1, pageup: -rows, pagedown: rows }[key];
  if (by !== undefined) log.change((view) => scrolled(view, by, rows));
  else if (key === 'home' || key === 'g') {
    if (log.view.isFromStart) log.change((view) => ({ ...view, isFollowing: false, top: 0 }));
    else log.jump('first');
  } else if (key === 'end' || key === 'G' || key === 'f') {
    if (log.view.isToEnd) log.change((view) => ({ ...view, isFollowing: true }));
    else log.jump('end');
  } else return false;
  return true;
}
