// The last runs of a job as bars: the height is the duration against the longest of them, the shape is the status. A
// click opens the run.

import type { MouseEvent, ReactNode } from 'react';
import { useLocation } from 'wouter';
import { spanWords } from '../../../client/took.ts';
import type { StepStatus } from '../../../domain/run.ts';
import { runPath } from '../../words.ts';
import { looks } from '../text/Status.tsx';
import styles from './Charts.module.css';
import { hatched } from './Patterns.tsx';

type BarRun = { readonly run_id: string; readonly status: StepStatus; readonly duration_ms: number | null };

const [barPx, gapPx, heightPx, footPx] = [5, 2, 16, 3];
/** How long it takes is not known yet. */
const openPx = 8;

export function RunBars({
  runs,
  most = 10,
}: {
  /** Newest first, as the API lists them. */
  readonly runs: readonly BarRun[];
  readonly most?: number;
}): ReactNode {
  const [, navigate] = useLocation();
  const shown = runs.slice(0, most).toReversed();
  if (shown.length === 0) return null;
  const longest = Math.max(1, ...shown.map((run) => run.duration_ms ?? 0));
  const onClick = (event: MouseEvent<SVGSVGElement>): void => {
    const left = event.currentTarget.getBoundingClientRect().left;
    const run = shown[Math.floor((event.clientX - left) / (barPx + gapPx))];
    if (run) navigate(runPath(run.run_id));
  };
  return (
    <>
      <svg
        width={most * (barPx + gapPx) - gapPx}
        height={heightPx + footPx}
        className={styles.bars}
        aria-hidden="true"
        onClick={onClick}
      >
        {shown.map((run, index) => (
          <Bar key={run.run_id} run={run} x={index * (barPx + gapPx)} longestMs={longest} />
        ))}
      </svg>
      <span className="unseen">{summaryOf(shown)}</span>
    </>
  );
}

function Bar({
  run,
  x,
  longestMs,
}: {
  readonly run: BarRun;
  readonly x: number;
  readonly longestMs: number;
}): ReactNode {
  const share = Math.sqrt((run.duration_ms ?? 0) / longestMs);
  const isOpen = run.status === 'running' || run.status === 'waiting_approval';
  const height = run.status === 'pending' ? 1 : isOpen ? openPx : Math.max(4, Math.round(share * heightPx));
  const y = heightPx - height;
  const took = run.duration_ms === null ? '' : `, ${spanWords(run.duration_ms)}`;
  return (
    <g data-status={run.status}>
      <title>{`${looks[run.status].word}${took}`}</title>
      {/* The whole column can be pointed at. */}
      <rect x={x} width={barPx + gapPx} height={heightPx + footPx} fill="transparent" stroke="none" />
      <rect
        className={styles.bar}
        x={x + 0.5}
        y={y + 0.5}
        width={barPx - 1}
        height={Math.max(1, height - 1)}
        rx="1"
        {...(run.status === 'waiting_approval' && { fill: hatched })}
      />
      {run.status === 'failed' && <rect className={styles.bar} x={x} y={heightPx + 1} width={barPx} height="1.5" />}
    </g>
  );
}

function summaryOf(runs: readonly BarRun[]): string {
  const counts = new Map<string, number>();
  for (const { status } of runs) counts.set(looks[status].word, (counts.get(looks[status].word) ?? 0) + 1);
  return [...counts].map(([word, count]) => `${count} ${word.toLowerCase()}`).join(', ');
}
