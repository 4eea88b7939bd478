// The part of the screen above the log of a run: the run's state in a sentence, and its steps.

import { Box } from 'ink';
import { createElement as h, type ReactElement } from 'react';
import { answerWords, hintOf, whyFailed } from '../../client/answer-words.ts';
import { leftWords } from '../../client/left-words.ts';
import { outlookOf } from '../../client/run-outlook.ts';
import { isKept, keptWords } from '../../client/shown-steps.ts';
import { tookWords, workWords } from '../../client/took.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { byRequester } from '../../domain/outcome/cancel-request.ts';
import { leftBehindWords } from '../../domain/outcome/left-behind.ts';
import { stepLabel } from '../../domain/outcome/step-label.ts';
import { isFinished } from '../../domain/run.ts';
import { type Colour, cells, line, type Span } from '../line.ts';
import { windowAround } from '../windowed.ts';
import { statusLooks } from '../words.ts';
import { wrapped } from '../wrapped.ts';

export type RunAnswer = AnswerOf<'getRun'>;
export type StepAnswer = RunAnswer['steps'][number];

/** The steps that wait for approval. */
export function waitingSteps({ steps }: RunAnswer): StepAnswer[] {
  return steps.filter(({ status }) => status === 'waiting_approval');
}

/** Narrower terminals have no room for the remaining time. */
const columnsForOutlook = 100;

/**
 * Returns the lines about the run's state. The sentence takes at most `sentenceRows` rows, and the hint at most one
 * more row. An `error` replaces both.
 */
export function summaryLines(
  run: RunAnswer,
  o: {
    readonly nowMs: number;
    readonly error: Span | null;
    readonly columns: number;
    readonly sentenceRows: number;
  },
): ReactElement[] {
  const look = statusLooks[run.status];
  const state = run.cancel_requested_at !== null && !isFinished(run.status) ? 'cancelling' : run.status;
  const progress =
    run.progress && !isFinished(run.status) ? `${Math.round(run.progress.percent)} % ${run.progress.message}` : '';
  // Progress always takes one row, so that the log below does not move when the length of the message changes.
  const isProgress = o.error === null && progress !== '';
  const sentence = o.error ?? (isProgress ? { text: progress } : sentenceOf(run));
  const isWorking = run.status === 'running' && run.waiting_approval.length === 0;
  const outlook = isWorking ? outlookOf(run, run.expected_ms, o.nowMs).words : '';
  const rows = wrapped(sentence.text, o.columns, isProgress ? 1 : o.sentenceRows);
  const hint = o.error === null ? hintOf(run) : undefined;
  const hintRows = hint === undefined ? [] : wrapped(`hint: ${hint}`, o.columns, o.sentenceRows + 1);
  return [
    cells(
      [
        {
          spans: [
            { text: run.job_id, isBold: true },
            { text: `  ${run.run_id}`, colour: 'gray' },
          ],
        },
        { spans: [{ text: `${look.glyph} ${state}`, colour: look.colour }], width: 12 },
        { spans: [workWords(run, o.nowMs)], width: 12 },
        ...(outlook === '' || o.columns < columnsForOutlook ? [] : [{ spans: [outlook], width: 28 }]),
      ],
      'run',
    ),
    ...rows.map((text, index) => line([{ ...sentence, text }], `sentence ${index}`)),
    ...hintRows.map((text, index) => line([{ text, colour: 'yellow' }], `hint ${index}`)),
  ];
}

/** The reason for the run's status, or its result or arguments. */
function sentenceOf(run: RunAnswer): Span {
  if (run.error) return { text: whyFailed(run), colour: 'red' };
  if (run.waiting !== null) return { text: run.waiting, colour: 'yellow' };
  if (run.status === 'cancelled') return { text: cancelWords(run), colour: 'magenta' };
  if (run.result) return { text: `result ${JSON.stringify(run.result.value)}` };
  if (run.left_behind) return { text: leftBehindWords(run.left_behind), colour: 'yellow' };
  const args = JSON.stringify(run.args);
  return { text: args === '{}' ? '' : `args ${args}`, colour: 'gray' };
}

function cancelWords(run: RunAnswer): string {
  const { termination } = run;
  const by = byRequester(run);
  if (!termination) return `Cancelled${by} before it started`;
  const signals = termination.signals.map(({ signal }) => signal).join(', ');
  return `Cancelled${by}${signals === '' ? '' : ` with ${signals}`}: ${leftWords(termination)}`;
}

/** @param steps - the steps of the run in the order in which they are shown */
export function stepLines(
  run: RunAnswer,
  steps: readonly StepAnswer[],
  o: {
    readonly rows: number;
    readonly chosen: number | null;
    /** The step whose log is shown; null if the log of all steps is shown. */
    readonly logOf: string | null;
    readonly nowMs: number;
    readonly columns: number;
  },
): ReactElement {
  const shown = steps.findIndex(({ step_id: id }) => id === o.logOf);
  const { start, end } = windowAround(steps.length, o.chosen ?? (shown < 0 ? currentStep(steps) : shown), o.rows);
  const labels = steps.map((step) => labelOf(step).length + 4);
  // Long names, such as those with matrix values, get more room than the text about the step.
  const width = Math.min(Math.max(Math.floor(o.columns * 0.45), ...labels), Math.floor(o.columns * 0.7));
  return h(
    Box,
    { flexDirection: 'column', height: o.rows, key: 'steps' },
    ...steps
      .slice(start, end)
      .map((step, index) => stepLine(run, step, { ...o, width, isChosen: start + index === o.chosen })),
  );
}

/**
 * Returns the label of a step. An instance is listed below its step, so its label has only its values:
 * `[node=24,db=pg]` or `[1] (db2.fra)`.
 */
function labelOf(step: StepAnswer): string {
  const { name, step_id: id, instance_of: of } = step;
  if (of !== null && id.startsWith(`${of}[`)) return `  ${stepLabel(step).slice(of.length)}`;
  return name === '' ? id : name;
}

function stepWords({ approval, message, child_run_id: childId, reason }: StepAnswer): string {
  if (approval) return answerWords(approval);
  return message ?? (childId === null ? reason : `→ ${childId}`) ?? '';
}

/** Returns the index of the first running step, or else of the last step that has started. */
function currentStep(steps: readonly StepAnswer[]): number {
  const going = steps.findIndex(({ status }) => status === 'running' || status === 'waiting_approval');
  return going >= 0
    ? going
    : Math.max(
        0,
        steps.findLastIndex(({ started_at: at }) => at !== null),
      );
}

function stepLine(
  run: RunAnswer,
  step: StepAnswer,
  o: {
    readonly isChosen: boolean;
    readonly logOf: string | null;
    readonly nowMs: number;
    readonly width: number;
  },
): ReactElement {
  const { isChosen, nowMs, width } = o;
  const look = statusLooks[step.status];
  const attempt = step.attempt > 1 ? ` (attempt ${step.attempt})` : '';
  const kept = isKept(run, step);
  const about = kept ? keptWords : stepWords(step);
  const colour: Colour = step.status === 'failed' ? 'red' : 'gray';
  return cells(
    [
      {
        width,
        spans: [
          isChosen ? { text: '❯ ', colour: 'cyan' } : '  ',
          { text: `${look.glyph} `, colour: look.colour },
          { text: labelOf(step), isBold: isChosen || step.step_id === o.logOf },
          { text: attempt, colour: 'yellow' },
        ],
      },
      { width: 12, spans: [kept ? '' : tookWords(step, nowMs)] },
      { spans: [{ text: about, colour }] },
    ],
    step.step_id,
  );
}
