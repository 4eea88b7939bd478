// Shows each run as a dot, placed by when it started and how long it worked. Lines show the median and p95 of the last
// runs up to each time. A dotted line marks the first run of a new revision. A dot is a link to its run. The keyboard
// and screen readers get the same numbers from a table.

import { Table2 } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { spanWords } from '../../client/took.ts';
import { useBoxWidth } from '../design/charts/box-width.ts';
import { Button } from '../design/controls/Button.tsx';
import { HeadRow } from '../design/table/HeadRow.tsx';
import { Card } from '../design/text/Card.tsx';
import { StatusText } from '../design/text/Status.tsx';
import { Duration, Time } from '../design/text/Time.tsx';
import { narrowPx, useWidth } from '../design/width.ts';
import { useNow } from '../session/clock.ts';
import { dayWords, localTime, runPath } from '../words.ts';
import styles from './DurationChart.module.css';
import type { RunTime } from './job-times.ts';
import { movingOf, revisionChanges, ticksUpTo } from './statistics.ts';

const height = 240;
const margin = { top: 18, right: 56, bottom: 22, left: 4 };
/** Keeps the last run and the line of a new revision away from the edge. */
const endPx = 28;
const dayMs = 86_400_000;
/** More labels would cover each other. */
const mostNamed = 4;
const datesShown = 5;

/** @param runs oldest first */
export function DurationChart({ runs }: { readonly runs: readonly RunTime[] }): ReactNode {
  const [isTable, setTable] = useState(false);
  const isNarrow = useWidth() < narrowPx;
  return (
    <Card
      title="Duration of each run"
      count={isNarrow ? 'work' : 'work, without waiting'}
      isFlush
      end={
        <>
          {!isTable && !isNarrow && <Legend />}
          <Button look="quiet" size="small" icon={Table2} aria-pressed={isTable} onClick={() => setTable(!isTable)}>
            {isTable ? 'As chart' : 'As table'}
          </Button>
        </>
      }
    >
      {isTable ? <RunTable runs={runs} /> : <Chart runs={runs} />}
      {!isTable && isNarrow && <Legend />}
    </Card>
  );
}

function Legend(): ReactNode {
  return (
    <ul className={styles.legend}>
      <li data-mark="success">success</li>
      <li data-mark="failed">failed (time until the failure)</li>
      <li data-mark="median">median</li>
      <li data-mark="p95">p95</li>
    </ul>
  );
}

function Chart({ runs }: { readonly runs: readonly RunTime[] }): ReactNode {
  const [frame, width] = useBoxWidth<HTMLDivElement>();
  const [near, setNear] = useState<RunTime | null>(null);
  const times = runs.map(({ created_at: at }) => Date.parse(at));
  const from = Math.min(...times);
  const until = Math.max(...times, from + 1);
  const ticks = ticksUpTo(Math.max(1, ...runs.map(({ work_ms: ms }) => ms)));
  const most = ticks.at(-1) ?? 1;
  const x = (at: number): number =>
    margin.left + ((at - from) / (until - from)) * Math.max(1, width - margin.left - margin.right - endPx);
  const y = (ms: number): number => height - margin.bottom - (ms / most) * (height - margin.top - margin.bottom);
  const moving = movingOf(runs);
  const lineOf = (pick: 'medianMs' | 'p95Ms'): string =>
    moving.map((point, index) => `${index === 0 ? 'M' : 'L'}${x(point.at)} ${y(point[pick])}`).join('');
  const changes = revisionChanges(runs);
  return (
    <div className={styles.frame} ref={frame}>
      {width > 0 && (
        <svg width={width} height={height} aria-hidden="true">
          <Axes ticks={ticks} from={from} until={until} x={x} y={y} width={width} />
          {changes.map(({ at, revision }, index) => (
            <g key={at} className={styles.change}>
              <line x1={x(at)} x2={x(at)} y1={margin.top - 6} y2={height - margin.bottom} />
              {index >= changes.length - mostNamed && (
                <text x={x(at) + (x(at) > width / 2 ? -5 : 5)} y={margin.top} data-end={x(at) > width / 2 || undefined}>
                  revision {shortRevision(revision)}
                </text>
              )}
            </g>
          ))}
          <path d={lineOf('p95Ms')} className={styles.p95} />
          <path d={lineOf('medianMs')} className={styles.median} />
          {runs.map((run) => (
            <Dot key={run.run_id} run={run} x={x(Date.parse(run.created_at))} y={y(run.work_ms)} setNear={setNear} />
          ))}
        </svg>
      )}
      {near && <Tip run={near} left={Math.min(x(Date.parse(near.created_at)), width - 190)} top={y(near.work_ms)} />}
    </div>
  );
}

function shortRevision(revision: string): string {
  return revision.replace(/^sha256:/, '').slice(0, 7);
}

function Axes(o: {
  readonly ticks: readonly number[];
  readonly from: number;
  readonly until: number;
  readonly x: (at: number) => number;
  readonly y: (ms: number) => number;
  readonly width: number;
}): ReactNode {
  const now = useNow(60_000);
  const dates = Array.from({ length: datesShown }, (_, n) => o.from + ((o.until - o.from) * n) / (datesShown - 1));
  return (
    <g>
      {o.ticks.map((ms) => (
        <g key={ms}>
          <line className={styles.grid} x1={margin.left} x2={o.width - margin.right} y1={o.y(ms)} y2={o.y(ms)} />
          <text className={styles.label} x={o.width - margin.right + 8} y={o.y(ms) + 4}>
            {ms === 0 ? '0' : spanWords(ms)}
          </text>
        </g>
      ))}
      {dates.map((at, index) => (
        <text
          key={at}
          className={styles.label}
          data-anchor={index === 0 ? 'start' : index === datesShown - 1 ? 'end' : 'middle'}
          x={o.x(at)}
          y={height - 4}
        >
          {o.until - o.from > dayMs ? dayWords(new Date(at)) : localTime(new Date(at).toISOString(), now)}
        </text>
      ))}
    </g>
  );
}

function Dot(o: {
  readonly run: RunTime;
  readonly x: number;
  readonly y: number;
  readonly setNear: (run: RunTime | null) => void;
}): ReactNode {
  const { run, x, y, setNear } = o;
  const show = (): void => setNear(run);
  const hide = (): void => setNear(null);
  return (
    <Link
      href={runPath(run.run_id)}
      className={styles.dot}
      data-status={run.status}
      tabIndex={-1}
      onMouseEnter={show}
      onMouseLeave={hide}
    >
      <circle cx={x} cy={y} r={7} className={styles.area} />
      {run.status === 'failed' ? (
        <path d={`M${x - 3.5} ${y - 3.5}l7 7m0 -7l-7 7`} />
      ) : (
        <circle cx={x} cy={y} r={2.75} />
      )}
    </Link>
  );
}

function Tip(o: { readonly run: RunTime; readonly left: number; readonly top: number }): ReactNode {
  return (
    <div className={styles.tip} style={{ left: o.left, top: o.top }}>
      <StatusText of={o.run.status} isShort /> <Duration ms={o.run.work_ms} />
      <br />
      <Time at={o.run.created_at} /> <code>{shortRevision(o.run.revision)}</code>
    </div>
  );
}

function RunTable({ runs }: { readonly runs: readonly RunTime[] }): ReactNode {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <section className={styles.scrolls} aria-label="Duration of each run" tabIndex={0}>
      <table className={styles.table}>
        <thead>
          <HeadRow names={['Started', 'Status', 'Work', 'Revision']} />
        </thead>
        <tbody>
          {runs.toReversed().map((run) => (
            <tr key={run.run_id}>
              <td>
                <Link href={runPath(run.run_id)}>
                  <Time at={run.created_at} />
                </Link>
              </td>
              <td>
                <StatusText of={run.status} isShort />
              </td>
              <td>
                <Duration ms={run.work_ms} />
              </td>
              <td>
                <code>{shortRevision(run.revision)}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
