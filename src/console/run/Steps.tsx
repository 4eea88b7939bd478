// The steps of a run on a timeline that tells waiting from running, with lines to the steps that needed them; on demand
// also as a graph. Each step links to its log, and the step whose log is shown is highlighted.

import { Fragment, type ReactNode, type RefObject, useEffect, useMemo, useRef, useState } from 'react';
import { Link } from 'wouter';
import { inGroups, isKept, keptWords } from '../../client/shown-steps.ts';
import { tookFor } from '../../client/took.ts';
import { isFinished } from '../../domain/run.ts';
import type { LogPlace } from '../log/run-place.ts';
import { useNow } from '../session/clock.ts';
import { onDemand } from '../shell/on-demand.tsx';
import { Status } from '../widgets/Notes.tsx';
import { type Run, reasonWords, runPath, type Step } from '../words.ts';
import { drawnTime, needsOver, rowsOf, type StepBar, type StepRow } from './step-bars.ts';

const StepGraph = onDemand('the graph', async () => (await import('./StepGraph.tsx')).StepGraph);

/** A step with more instances shows only their counts until the user unfolds it. */
const mostUnfolded = 5;

export function Steps(o: {
  readonly run: Run;
  readonly attempts: readonly Step[];
  readonly place: LogPlace;
  readonly hrefOf: (place: LogPlace) => string;
}): ReactNode {
  const { run, attempts, place, hrefOf } = o;
  const nowMs = useNow(1_000, !isFinished(run.status) && run.steps.length > 1);
  const steps = useMemo(() => inGroups(run.steps), [run.steps]);
  const [isGraph, setGraph] = useState(false);
  const list = useRef<HTMLUListElement>(null);
  const frame = useTimelineFrame(list);
  const [unfolded, setUnfolded] = useState<ReadonlySet<string>>(new Set());
  useShownRow(list, place.step);
  if (run.steps.length < 2) return null;
  const drawn = drawnTime(run, nowMs);
  const instancesOf = Map.groupBy(run.steps, ({ instance_of: of }) => of);
  const isFoldable = (group: string): boolean => (instancesOf.get(group)?.length ?? 0) > mostUnfolded;
  const rows = rowsOf({ ...run, steps }, attempts, nowMs).filter(
    ({ step: { step_id: id, instance_of: of, status } }) =>
      of === null || !isFoldable(of) || unfolded.has(of) || status === 'failed' || id === place.step,
  );
  const fold = (group: string): void =>
    setUnfolded((now) => new Set(now.has(group) ? [...now].filter((one) => one !== group) : [...now, group]));
  const hrefOfStep = (id: string): string => hrefOf({ ...place, step: id, attempt: null, line: null });
  return (
    <section aria-label="Steps" className="steps">
      <div className="row">
        <h2>Steps</h2>
        <button type="button" aria-pressed={isGraph} onClick={() => setGraph(!isGraph)}>
          Graph
        </button>
      </div>
      {isGraph && <StepGraph run={run} chosen={place.step} hrefOf={hrefOfStep} />}
      <div className="over-time">
        <ul ref={list}>
          {rows.map(({ step, bars }) => (
            <li key={step.step_id} className={place.step === step.step_id ? 'chosen' : ''}>
              <Status of={step.status} isBare />
              <Link href={hrefOfStep(step.step_id)} aria-current={place.step === step.step_id ? 'true' : undefined}>
                {step.step_id}
              </Link>
              <span className="quiet ellipsis">
                {isFoldable(step.step_id) && (
                  <>
                    <button
                      type="button"
                      className="fold"
                      aria-expanded={unfolded.has(step.step_id)}
                      onClick={() => fold(step.step_id)}
                    >
                      <Counts of={instancesOf.get(step.step_id) ?? []} />
                    </button>{' '}
                  </>
                )}
                <Told of={step} isKept={isKept(run, step)} />
              </span>
              <Timeline bars={bars} drawn={drawn} without={isKept(run, step) ? keptWords : 'not started'} />
              <span className="quiet took">
                {step.attempt > 1 && `×${step.attempt} `}
                {!isKept(run, step) && tookFor(step.started_at, step.finished_at, nowMs)}
              </span>
            </li>
          ))}
        </ul>
        {frame && <Needs rows={rows} drawn={drawn} frame={frame} chosen={place.step} />}
      </div>
    </section>
  );
}

/** How many instances have each status. */
function Counts({ of }: { readonly of: readonly Step[] }): ReactNode {
  return [...Map.groupBy(of, ({ status }) => status)].map(([status, { length }]) => (
    <Fragment key={status}>
      {length} <Status of={status} isBare />{' '}
    </Fragment>
  ));
}

/** Scrolls to the selected row, or to the first that has failed, when the page opens and when the selection changes. */
function useShownRow(list: RefObject<HTMLUListElement | null>, chosen: string | null): void {
  useEffect(() => {
    const rows = list.current;
    const box = rows?.parentElement;
    const row = rows?.querySelector<HTMLElement>(chosen === null ? 'li:has(.status-failed)' : 'li.chosen');
    if (!box || !row) return;
    const isInSight =
      row.offsetTop >= box.scrollTop && row.offsetTop + row.offsetHeight <= box.scrollTop + box.clientHeight;
    if (!isInSight) box.scrollTop = row.offsetTop - (box.clientHeight - row.offsetHeight) / 2;
  }, [list, chosen]);
}

function Told({ of: step, isKept }: { readonly of: Step; readonly isKept: boolean }): ReactNode {
  const { step_id: id, name, status, message, reason, approval, child_run_id: childId } = step;
  const needs = step.instance_of === null && reason !== 'upstream_failed' ? step.needs : [];
  const decision = approval?.decision === 'approve' ? 'approved' : 'denied';
  const told = [
    name === id ? null : name,
    isKept && keptWords,
    status === 'success' ? null : (message ?? reasonWords(reason)),
    approval && `${decision} by ${approval.by}${approval.comment === null ? '' : `: ${approval.comment}`}`,
    needs.length > 0 && (
      <>
        after{' '}
        {needs.map((need, index) => (
          <Fragment key={need}>
            {index > 0 && ', '}
            <code>{need}</code>
          </Fragment>
        ))}
      </>
    ),
    childId !== null && (
      <Link href={runPath(childId)} className="small">
        show its run
      </Link>
    ),
  ].filter(Boolean);
  return told.map((part, index) => (
    <Fragment key={index}>
      {index > 0 && ' · '}
      {part}
    </Fragment>
  ));
}

type Span = Pick<StepBar, 'fromMs' | 'toMs'>;
/** The area of the bars. All rows have the height of the first. */
type Frame = { readonly left: number; readonly width: number; readonly rowPx: number };

/** null: the page is too narrow for bars. */
function useTimelineFrame(list: RefObject<HTMLUListElement | null>): Frame | null {
  const [frame, setFrame] = useState<Frame | null>(null);
  useEffect(() => {
    const row = list.current?.querySelector('li');
    const line = row?.querySelector<HTMLElement>('.timeline');
    if (!row || !line) return undefined;
    const watch = new ResizeObserver(() => {
      const { offsetLeft: left, offsetWidth: width } = line;
      setFrame(width > 0 ? { left, width, rowPx: row.offsetHeight } : null);
    });
    watch.observe(line);
    return () => watch.disconnect();
  }, [list]);
  return frame;
}

/** Lines from the end of each step to the start of the steps that need it. */
function Needs(o: {
  readonly rows: readonly StepRow[];
  readonly drawn: Span;
  readonly frame: Frame;
  readonly chosen: string | null;
}): ReactNode {
  const { left, width, rowPx } = o.frame;
  const x = (ms: number): string => (left + shareOf(ms, o.drawn) * width).toFixed(1);
  const y = (row: number): string => ((row + 0.5) * rowPx).toFixed(1);
  return (
    <svg aria-hidden="true" height={o.rows.length * rowPx}>
      {needsOver(o.rows).map(({ key, from, to, ids }) => (
        <path
          key={key}
          className={o.chosen !== null && ids.includes(o.chosen) ? 'edge chosen' : 'edge'}
          d={`M${x(from.ms)} ${y(from.row)}V${y(to.row)}H${x(to.ms)}`}
        />
      ))}
    </svg>
  );
}

/** @param o.without - the reason if there are no bars */
function Timeline(o: { readonly bars: readonly StepBar[]; readonly drawn: Span; readonly without: string }): ReactNode {
  const { bars, drawn, without } = o;
  return (
    <span className="timeline" role="img" aria-label={bars.map(({ words }) => words).join(', ') || without}>
      {bars.map((bar) => (
        <span
          key={`${bar.look} ${bar.fromMs}`}
          className={`bar bar-${bar.look}`}
          title={bar.words}
          style={placeOf(bar, drawn)}
        />
      ))}
    </span>
  );
}

function placeOf({ fromMs, toMs }: Span, drawn: Span): { readonly left: string; readonly width: string } {
  const from = shareOf(fromMs, drawn);
  return { left: percent(from), width: percent(shareOf(toMs, drawn) - from) };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}

function shareOf(ms: number, { fromMs, toMs }: Span): number {
  // The duration of a run that was created just now may be zero.
  return (Math.min(Math.max(ms, fromMs), toMs) - fromMs) / Math.max(1, toMs - fromMs);
}
