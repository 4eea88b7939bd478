// The rows of the list of steps, each with its bars on the time axis. A row that started a sub-run unfolds to the steps
// of that run.

import { ChevronDown, ChevronRight } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, useMemo, useState } from 'react';
import { Link } from 'wouter';
import { isKept } from '../../../client/shown-steps.ts';
import { spanWords } from '../../../client/took.ts';
import { isFinished } from '../../../domain/run.ts';
import { StatusIcon } from '../../design/text/Status.tsx';
import { instanceName } from '../../graph/instance-grid.ts';
import { useRunAnswer } from '../../log/run-answer.ts';
import { failureText } from '../../session/answers.tsx';
import { WithCode } from '../../widgets/Notes.tsx';
import { type Run, runPath, type Step } from '../../words.ts';
import styles from './StepRows.module.css';
import { barsOf, isWork, type StepBar, type StepBars, wholeSpan } from './step-bars.ts';
import { type Folds, type RestRow, rowsOf, type StepRow } from './step-rows.ts';
import { instancesWords, stepNote, stepTime, waitsForWords } from './step-words.ts';
import type { Axis, Span } from './time-axis.ts';

type RowsProps = {
  readonly run: Run;
  readonly bars: StepBars;
  readonly axis: Axis;
  readonly nowMs: number;
  readonly chosen: string | null;
  readonly hrefOf: (stepId: string) => string;
  readonly folds: Folds;
  readonly fold: (key: string, isOpen: boolean) => void;
  readonly isTight: boolean;
  readonly depth: number;
};

export function StepRows(o: RowsProps): ReactNode {
  const { run, folds, chosen, isTight } = o;
  const rows = useMemo(() => rowsOf(run.steps, { folds, chosen, isTight }), [run.steps, folds, chosen, isTight]);
  return (
    <ul aria-label={o.depth === 0 ? 'Steps' : `Steps of ${run.job_id}`} onKeyDown={walk}>
      {rows.map((row) =>
        row.kind === 'rest' ? <Rest key={row.key} row={row} of={o} /> : <One key={row.key} row={row} of={o} />,
      )}
    </ul>
  );
}

function One({ row, of: o }: { readonly row: StepRow; readonly of: RowsProps }): ReactNode {
  const { step, instances, isOpen } = row;
  const { run, nowMs } = o;
  const id = step.step_id;
  const own = o.bars.get(id) ?? [];
  const lines = instances.map((one) => ({
    key: one.step_id,
    name: instanceName(one),
    bars: o.bars.get(one.step_id) ?? [],
  }));
  const isChosen = o.chosen === id;
  const counts = instances.length > 0 ? instancesWords(instances) : null;
  const note = stepNote(run, step, nowMs) || waitsForWords(run, step);
  const fold = (next: boolean): void => o.fold(row.key, next);
  return (
    <>
      <li
        className={styles.row}
        data-chosen={isChosen || undefined}
        data-state={step.status}
        data-depth={o.depth + row.depth}
      >
        <Fold name={id} isOpen={isOpen} fold={fold} />
        <StatusIcon of={step.status} />
        <span className={styles.name}>
          <Link
            href={o.hrefOf(id)}
            replace={o.depth === 0}
            aria-current={isChosen ? 'true' : undefined}
            className={step.instance_of === null ? styles.step : styles.instance}
            onKeyDown={(event) => foldByKey(event, isOpen, fold)}
          >
            {step.instance_of === null ? id : instanceName(step)}
          </Link>
          {counts && <span className={counts.isFailed ? styles.failed : styles.note}>{counts.text}</span>}
          {note !== '' && !counts && (
            <span className={styles.note} title={note}>
              <WithCode text={note} />
            </span>
          )}
          {step.child_run_id !== null && (
            <Link href={runPath(step.child_run_id)} className={styles.child}>
              Open its run
            </Link>
          )}
        </span>
        <Track axis={o.axis} lines={lines.length > 0 ? lines : [{ key: id, name: id, bars: own }]} />
        <span className={styles.took}>{isKept(run, step) ? '–' : stepTime(step, nowMs)}</span>
      </li>
      {isOpen === true && step.kind === 'job' && step.child_run_id !== null && (
        <li>
          <SubRun runId={step.child_run_id} isOver={isFinished(run.status)} of={o} />
        </li>
      )}
    </>
  );
}

function Rest({ row, of: o }: { readonly row: RestRow; readonly of: RowsProps }): ReactNode {
  const spans = row.steps.flatMap(({ step_id: id }) => wholeSpan(o.bars.get(id) ?? []) ?? []);
  const whole = spans.length === 0 ? null : spanOver(spans);
  const fold = (next: boolean): void => o.fold(row.key, next);
  const worked = row.steps.flatMap(({ step_id: id }) => wholeSpan((o.bars.get(id) ?? []).filter(isWork)) ?? []);
  const longestMs = Math.max(0, ...worked.map(({ fromMs, toMs }) => toMs - fromMs));
  const bars = whole ? [{ ...whole, look: row.status, words: row.words }] : [];
  return (
    <li className={styles.row} data-state={row.status} data-depth={o.depth + row.depth}>
      <Fold name={row.words} isOpen={row.isOpen} fold={fold} />
      <StatusIcon of={row.status} />
      <span className={styles.name}>
        <button
          type="button"
          className={styles.rest}
          onClick={() => fold(!row.isOpen)}
          onKeyDown={(event) => foldByKey(event, row.isOpen, fold)}
        >
          {row.words}
        </button>
      </span>
      <Track axis={o.axis} lines={[{ key: row.key, name: row.words, bars }]} isThin />
      <span className={styles.took}>{worked.length > 0 ? `up to ${spanWords(longestMs)}` : '–'}</span>
    </li>
  );
}

function Fold(o: {
  readonly name: string;
  readonly isOpen: boolean | null;
  readonly fold: (isOpen: boolean) => void;
}): ReactNode {
  const { isOpen } = o;
  if (isOpen === null) return <span />;
  const Icon = isOpen ? ChevronDown : ChevronRight;
  return (
    <button
      type="button"
      className={styles.fold}
      aria-expanded={isOpen}
      aria-label={`${isOpen ? 'Fold' : 'Unfold'} ${o.name}`}
      tabIndex={-1}
      onClick={() => o.fold(!isOpen)}
    >
      <Icon size={14} aria-hidden="true" />
    </button>
  );
}

/** A sub-run is polled, because the events of its parent do not report what happens in it. */
const pollMs = 2_000;

/** The steps of a sub-run, in the list of its parent. Each step is a link to the page of the sub-run. */
function SubRun({
  runId,
  isOver,
  of,
}: {
  readonly runId: string;
  /** The parent has ended, and therefore also its sub-run. */
  readonly isOver: boolean;
  readonly of: RowsProps;
}): ReactNode {
  const answer = useRunAnswer(runId, {
    refetchInterval: ({ state }) => (isOver || (state.data && isFinished(state.data.run.status)) ? false : pollMs),
  });
  if (answer.data) return <SubRunRows {...of} {...answer.data} />;
  return (
    <p className={styles.said} role="status">
      {failureText(answer) ?? 'Loading the sub-run…'}
    </p>
  );
}

function SubRunRows(o: RowsProps & { readonly run: Run; readonly attempts: readonly Step[] }): ReactNode {
  const { run, attempts, nowMs } = o;
  const [folds, setFolds] = useState<Folds>(new Map());
  const bars = useMemo(() => barsOf(run, attempts, nowMs), [run, attempts, nowMs]);
  return (
    <StepRows
      {...o}
      bars={bars}
      chosen={null}
      folds={folds}
      fold={(key, isOpen) => setFolds((now) => new Map(now).set(key, isOpen))}
      hrefOf={(step) => `${runPath(run.run_id)}?step=${encodeURIComponent(step)}`}
      depth={o.depth + 1}
    />
  );
}

type Line = { readonly key: string; readonly name: string; readonly bars: readonly StepBar[] };

/** Draws one thick line, or a thin line for each instance. */
function Track({
  axis,
  lines,
  isThin = false,
}: {
  readonly axis: Axis;
  readonly lines: readonly Line[];
  readonly isThin?: boolean;
}): ReactNode {
  const isSingle = lines.length === 1;
  return (
    <span className={styles.track} role="img" aria-label={trackWords(lines)}>
      {lines.map(({ key, name, bars }, line) =>
        bars.map((bar) => (
          <span
            key={`${key} ${bar.look} ${bar.fromMs}`}
            className={styles.bar}
            data-look={bar.look}
            data-line={isThin ? 'thin' : isSingle ? 'whole' : 'many'}
            title={isSingle ? bar.words : `${name}: ${bar.words}`}
            style={{ ...placeOf(bar, axis), ...(isSingle ? {} : { top: `${linePlace(line, lines.length)}%` }) }}
          />
        )),
      )}
    </span>
  );
}

function trackWords(lines: readonly Line[]): string {
  if (lines.length > 1) return `${lines.length} instances`;
  return lines.flatMap(({ bars }) => bars.map(({ words }) => words)).join(', ') || 'did not start';
}

/** Where a line is in the row, in percent of its height. */
function linePlace(line: number, count: number): string {
  return (14 + (line * 72) / Math.max(5, count - 1)).toFixed(1);
}

function placeOf({ fromMs, toMs }: Span, axis: Axis): { readonly left: string; readonly width: string } {
  const from = axis.share(fromMs);
  return { left: percent(from), width: percent(axis.share(toMs) - from) };
}

export function Ticks({ axis }: { readonly axis: Axis }): ReactNode {
  return (
    <div className={`${styles.row} ${styles.head}`} aria-hidden="true">
      <div className={styles.ticks}>
        {axis.ticks.map(({ share, words }) => (
          <span key={words} style={{ left: percent(share) }}>
            {words}
          </span>
        ))}
      </div>
    </div>
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}

function spanOver(spans: readonly Span[]): Span {
  return { fromMs: Math.min(...spans.map(({ fromMs }) => fromMs)), toMs: Math.max(...spans.map(({ toMs }) => toMs)) };
}

/** The key → unfolds a row, and ← folds it, as in a tree. */
function foldByKey(event: KeyboardEvent, isOpen: boolean | null, fold: (isOpen: boolean) => void): void {
  if (isOpen === null || (event.key !== 'ArrowRight' && event.key !== 'ArrowLeft')) return;
  event.preventDefault();
  fold(event.key === 'ArrowRight');
}

/** The keys ↑ and ↓ move from row to row, also into and out of sub-runs. */
function walk(event: KeyboardEvent<HTMLElement>): void {
  if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
  const all = event.currentTarget.parentElement?.closest('ul') ? null : event.currentTarget;
  if (!all) return;
  const links = [...all.querySelectorAll<HTMLElement>(`.${styles.name} > :first-child`)];
  const from = event.target instanceof HTMLElement ? links.indexOf(event.target) : -1;
  const to = links[from + (event.key === 'ArrowDown' ? 1 : -1)];
  if (from < 0 || !to) return;
  event.preventDefault();
  to.focus();
}
