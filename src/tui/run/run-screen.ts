// One run: how it is, its steps as they go, its log as it comes.

import { Box } from 'ink';
import { createElement as h, useEffect, useMemo, useState } from 'react';
import { failingStep, inGroups } from '../../client/shown-steps.ts';
import { type LogLevel, logLevels } from '../../domain/log-line.ts';
import { isFinished } from '../../domain/run.ts';
import { cells, line, type Span, typed } from '../line.ts';
import { LogPane } from '../log/log-pane.ts';
import { searchWords, useLogSearch } from '../log/log-search.ts';
import { useLog } from '../log/log-state.ts';
import { scrolled, topOf } from '../log/log-view.ts';
import type { Press } from '../presses.ts';
import { type Body, type ScreenProps, useLoaded, usePresses, useSurroundings } from '../screen.ts';
import { editText, emptyText, type TextEdit } from '../text-edit.ts';
import { moved } from '../windowed.ts';
import { type RunActions, useRunActions } from './run-actions.ts';
import { useRunEvents } from './run-events.ts';
import { stepLines, summaryLines } from './run-parts.ts';

const everyMs = 3_000;
const sideways = 20;

export function RunScreen({ isActive, runId }: ScreenProps & { readonly runId: string }): Body {
  const { client, rows, columns, open } = useSurroundings();
  const nudge = useRunEvents(isActive, runId);
  const { value: run, error } = useLoaded({ isActive, key: runId, everyMs, nudge }, (signal) =>
    client.call('getRun', { path: { run_id: runId }, signal }),
  );
  const nowMs = useNow(isActive && run !== null && !isFinished(run.status));
  const [level, setLevel] = useState<LogLevel>('trace');
  const [stepId, setStepId] = useState<string | null>(null);
  const [chosenStep, setChosenStep] = useState<number | null>(null);
  const [left, setLeft] = useState(0);
  const [typing, setTyping] = useState<TextEdit | null>(null);

  // As it was when it was opened: whoever watches a run is not moved when it fails.
  const [openedFor, setOpenedFor] = useState<string | null>(null);
  useEffect(() => {
    if (run === null || openedFor === run.run_id) return;
    setOpenedFor(run.run_id);
    setStepId(failingStep(run));
  }, [run, openedFor]);

  const steps = useMemo(() => inGroups(run?.steps ?? []), [run]);
  const actions = useRunActions(runId, run, chosenStep === null ? undefined : steps[chosenStep]?.step_id);
  const sentenceRows = Math.max(1, Math.floor(rows / 7));
  const summary = run ? summaryLines(run, { nowMs, error: actions.error, columns, sentenceRows }) : [];
  const restRows = rows - summary.length - 1;
  const stepRows = Math.min(Math.max(steps.length, 1), Math.max(2, Math.floor(restRows / 3)));
  const logRows = restRows - stepRows;
  // Before that it is not known whose log is wanted.
  const log = useLog(isActive && openedFor === runId, runId, { level, stepId }, logRows);
  const search = useLogSearch({ runId, level, stepId, rows: logRows }, log);
  const found = useMemo(() => new Set(search.found), [search.found]);

  usePresses(isActive, actions.question ?? keysOf(actions, typing !== null, chosenStep !== null), (press) => {
    if (typing) return onTyping(typing, press);
    return actions.take(press) || (chosenStep !== null && onSteps(chosenStep, press)) || onLog(press);
  });

  function onTyping(edit: TextEdit, press: Press): boolean {
    if (press.key === 'enter') search.find(edit.text);
    if (press.key === 'enter' || press.key === 'esc') setTyping(null);
    else setTyping(editText(edit, press) ?? edit);
    return true;
  }

  function onSteps(chosen: number, press: Press): boolean {
    const to = press.key === 'g' || press.key === 'G' ? null : moved(chosen, press.key, steps.length, stepRows);
    const step = steps[chosen];
    if (to !== null) setChosenStep(to);
    else if (press.key === 'tab' || press.key === 'esc') setChosenStep(null);
    else if (press.key === 'enter' && step?.child_run_id) open({ name: 'run', runId: step.child_run_id });
    else if (press.key === 'enter' && step) narrow(level, stepId === step.step_id ? null : step.step_id);
    else return false;
    return true;
  }

  /** Other lines around the same place. */
  function narrow(nextLevel: LogLevel, nextStepId: string | null): void {
    setLevel(nextLevel);
    setStepId(nextStepId);
    search.clear();
    const { view } = log;
    const seq = view.lines[topOf(view, logRows)]?.seq;
    log.jump(view.isFollowing || seq === undefined || nextStepId !== stepId ? 'end' : seq);
  }

  function toEnd(): void {
    if (log.view.isToEnd) log.change((view) => ({ ...view, isFollowing: true }));
    else log.jump('end');
  }

  function toFirst(): void {
    if (log.view.isFromStart) log.change((view) => ({ ...view, isFollowing: false, top: 0 }));
    else log.jump('first');
  }

  function onLog({ key }: Press): boolean {
    const by = { up: -1, k: -1, down: 1, j: 1, pageup: -logRows, pagedown: logRows }[key];
    if (by !== undefined) log.change((view) => scrolled(view, by, logRows));
    else if (key === 'home' || key === 'g') toFirst();
    else if (key === 'end' || key === 'G' || key === 'f') toEnd();
    else if (key === 'left') setLeft(Math.max(0, left - sideways));
    else if (key === 'right') setLeft(left + sideways);
    else if (key === 'l') narrow(logLevels[(logLevels.indexOf(level) + 1) % logLevels.length] ?? 'trace', stepId);
    else if (key === '/') setTyping(emptyText);
    else if (key === 'n' || key === 'N') search.go(key === 'n' ? 1 : -1);
    else if (key === 'tab')
      setChosenStep(
        Math.max(
          0,
          steps.findIndex(({ step_id: id }) => id === stepId),
        ),
      );
    else return false;
    return true;
  }

  if (!isActive) return null;
  if (!run) return line([error === null ? 'reading…' : { text: error, colour: 'red' }]);
  const { view } = log;
  const place = view.isFollowing ? 'following' : `${view.lines[topOf(view, logRows)]?.seq ?? 0}`;
  const middle: (Span | string)[] = typing
    ? ['/', ...typed(typing.text, typing.cursor, 30)]
    : actions.typing
      ? ['comment: ', ...typed(actions.typing.text, actions.typing.cursor, columns - 50)]
      : [actions.note ?? log.note ?? searchWords(search)];
  return h(
    Box,
    { flexDirection: 'column', height: rows },
    ...summary,
    stepLines(run, steps, { rows: stepRows, chosen: chosenStep, logOf: stepId, nowMs, columns }),
    cells(
      [
        {
          spans: [{ text: `── log ${level === 'trace' ? '' : `${level}+ `}${stepId ?? ''}`, colour: 'gray' }],
          width: Math.max(
            24,
            Math.min((stepId ?? '').length + 8 + (level === 'trace' ? 0 : 7), Math.floor(columns / 2)),
          ),
        },
        { spans: middle },
        { spans: [{ text: left > 0 ? `${place} →${left}` : place, colour: 'gray' }], width: 16 },
      ],
      'bar',
    ),
    h(LogPane, {
      key: 'log',
      view,
      rows: logRows,
      columns,
      left,
      hasSteps: steps.length > 1 && stepId === null,
      found,
      current: search.current,
    }),
  );
}

/** As many as 60 columns have room for. */
function keysOf({ keys, isWaitedFor }: RunActions, isTyping: boolean, isOnSteps: boolean): string {
  if (isTyping) return 'type what to look for   Enter: find   Esc: not';
  if (isOnSteps && isWaitedFor) return 'a: approve  d: deny  Enter: its log  Tab: log  q: back';
  if (isOnSteps) return '↑↓ choose  Enter: its log, or run  Tab: log  q: back';
  if (isWaitedFor) return `a: approve  d: deny  ${keys}  /: find  ?: help  q: back`;
  return `${keys}  l: level  /: find  ?: help  q: back`;
}

function useNow(isTicking: boolean): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    if (!isTicking) return undefined;
    setNowMs(Date.now());
    const timer = setInterval(() => setNowMs(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [isTicking]);
  return nowMs;
}
