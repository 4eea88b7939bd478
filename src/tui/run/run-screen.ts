// The screen of a run: its state, its steps and its log, all live.

import { Box } from 'ink';
import { createElement as h, type ReactElement, useEffect, useMemo, useState } from 'react';
import { inGroups } from '../../client/shown-steps.ts';
import { stepLabel } from '../../domain/outcome/step-label.ts';
import { isFinished } from '../../domain/run.ts';
import { cells, line, type Span, typed } from '../line.ts';
import { LogPane } from '../log/log-pane.ts';
import { searchWords } from '../log/log-search.ts';
import { topOf } from '../log/log-view.ts';
import type { Press } from '../presses.ts';
import { type Body, type ScreenProps, useLoaded, usePresses, useScreenContext } from '../screen.ts';
import { moved } from '../windowed.ts';
import { type RunActions, useRunActions } from './run-actions.ts';
import { useRunEvents } from './run-events.ts';
import { stepLines, summaryLines } from './run-parts.ts';
import { type ShownLog, useShownLog } from './shown-log.ts';

const everyMs = 3_000;

export function RunScreen({ isActive, runId }: ScreenProps & { readonly runId: string }): Body {
  const { client, rows, columns, open } = useScreenContext();
  const nudge = useRunEvents(isActive, runId);
  const { value: run, error } = useLoaded({ isActive, key: runId, everyMs, nudge }, (signal) =>
    client.call('getRun', { path: { run_id: runId }, signal }),
  );
  const nowMs = useNow(isActive && run !== null && !isFinished(run.status));
  /** The step that the keys select; null if the keys move in the log. */
  const [chosenStep, setChosenStep] = useState<number | null>(null);
  const steps = useMemo(() => inGroups(run?.steps ?? []), [run]);
  const labels = useMemo(() => new Map(steps.map((step) => [step.step_id, stepLabel(step)])), [steps]);
  const actions = useRunActions(runId, run, chosenStep === null ? undefined : steps[chosenStep]?.step_id);
  const sentenceRows = Math.max(1, Math.floor(rows / 7));
  const summary = run ? summaryLines(run, { nowMs, error: actions.error, columns, sentenceRows }) : [];
  const restRows = rows - summary.length - 1;
  const stepRows = Math.min(Math.max(steps.length, 1), Math.max(2, Math.floor(restRows / 3)));
  const logRows = restRows - stepRows;
  const shown = useShownLog(isActive, runId, run, logRows);
  const { stepId } = shown;

  const isTyping = shown.typing !== null;
  usePresses(isActive, actions.question ?? keysOf(actions, isTyping, chosenStep !== null), (press) => {
    if (isTyping) return shown.take(press);
    return actions.take(press) || (chosenStep !== null && onSteps(chosenStep, press)) || onLog(press);
  });

  function onSteps(chosen: number, press: Press): boolean {
    const to = press.key === 'g' || press.key === 'G' ? null : moved(chosen, press.key, steps.length, stepRows);
    const step = steps[chosen];
    if (to !== null) setChosenStep(to);
    else if (press.key === 'tab' || press.key === 'esc') setChosenStep(null);
    else if (press.key === 'enter' && step?.child_run_id) open({ name: 'run', runId: step.child_run_id });
    else if (press.key === 'enter' && step) shown.toggleStep(step.step_id);
    else return false;
    return true;
  }

  function onLog(press: Press): boolean {
    if (press.key !== 'tab') return shown.take(press);
    const current = steps.findIndex(({ step_id: id }) => id === stepId);
    setChosenStep(Math.max(0, current));
    return true;
  }

  if (!isActive) return null;
  if (!run) return line([error === null ? 'loading…' : { text: error, colour: 'red' }]);
  return h(
    Box,
    { flexDirection: 'column', height: rows },
    ...summary,
    stepLines(run, steps, { rows: stepRows, chosen: chosenStep, logOf: stepId, nowMs, columns }),
    barOf(shown, actions, { rows: logRows, columns, label: labels.get(stepId ?? '') ?? '' }),
    h(LogPane, {
      key: 'log',
      view: shown.log.view,
      rows: logRows,
      columns,
      left: shown.left,
      labels: steps.length > 1 && stepId === null ? labels : null,
      found: shown.found,
      current: shown.search.current,
    }),
  );
}

/**
 * The bar between steps and log. It shows the filter of the log, a note or the text that is being typed, and the
 * position in the log.
 */
function barOf(
  shown: ShownLog,
  actions: RunActions,
  { rows, columns, label }: { readonly rows: number; readonly columns: number; readonly label: string },
): ReactElement {
  const { log, level, left, typing } = shown;
  const { view } = log;
  const place = view.isFollowing ? 'following' : `${view.lines[topOf(view, rows)]?.seq ?? 0}`;
  const middle: (Span | string)[] = typing
    ? ['/', ...typed(typing.text, typing.cursor, 30)]
    : actions.typing
      ? ['comment: ', ...typed(actions.typing.text, actions.typing.cursor, columns - 50)]
      : [actions.note ?? log.note ?? searchWords(shown.search)];
  const likelyWidth = label.length + 8 + (level === 'trace' ? 0 : 7);
  return cells(
    [
      {
        spans: [{ text: `── log ${level === 'trace' ? '' : `${level}+ `}${label}`, colour: 'gray' }],
        width: Math.max(24, Math.min(likelyWidth, Math.floor(columns / 2))),
      },
      { spans: middle },
      { spans: [{ text: left > 0 ? `${place} →${left}` : place, colour: 'gray' }], width: 16 },
    ],
    'bar',
  );
}

/** Returns the most important keys, as many as fit into 60 columns. */
function keysOf({ keys, isWaitedFor }: RunActions, isTyping: boolean, isOnSteps: boolean): string {
  if (isTyping) return 'type the text to find   Enter: find   Esc: cancel';
  if (isOnSteps && isWaitedFor) return 'a: approve  d: deny  Enter: show log  Tab: log  q: back';
  if (isOnSteps) return '↑↓ move  Enter: show log or run  Tab: log  q: back';
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
