// The last runs of a job as bars. The height of a bar shows the duration in relation to the longest run, and its look
// shows the status. A click opens the run.

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
/** The height of a run in progress, whose duration is not known yet. */
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
  const runAt = (event: MouseEvent<SVGSVGElement>): BarRun | undefined => {
    const left = event.currentTarget.getBoundingClientRect().left;
    return shown[Math.floor((event.clientX - left) / (barPx + gapPx))];
  };
  const onClick = (event: MouseEvent<SVGSVGElement>): void => {
    const run = runAt(event);
    if (run) navigate(runPath(run.run_id));
  };
  // All bars share one tooltip, and all bars of one status share one path, because a long list draws hundreds of bars
  // while it scrolls.
  const onMouseMove = (event: MouseEvent<SVGSVGElement>): void => {
    const run = runAt(event);
    if (event.currentTarget.parentElement) event.currentTarget.parentElement.title = run ? wordsOf(run) : '';
  };
  const statuses = [...new Set(shown.map(({ status }) => status))];
  return (
    <span>
      <svg
        width={most * (barPx + gapPx) - gapPx}
        height={heightPx + footPx}
        className={styles.bars}
        aria-hidden="true"
        onClick={onClick}
        onMouseMove={onMouseMove}
      >
        {statuses.map((status) => (
          <path
            key={status}
            className={styles.bar}
            data-status={status}
            d={shown
              .map((run, at) => (run.status === status ? barOf(run, at * (barPx + gapPx), longest) : ''))
              .join('')}
            {...(status === 'waiting_approval' && { fill: hatched })}
          />
        ))}
        {statuses.includes('failed') && (
          <path
            className={styles.foot}
            d={shown.map(({ status }, at) => (status === 'failed' ? footOf(at * (barPx + gapPx)) : '')).join('')}
          />
        )}
      </svg>
      <span className="unseen">{summaryOf(shown)}</span>
    </span>
  );
}

function wordsOf({ status, duration_ms: ms }: BarRun): string {
  return `${looks[status].word}${ms === null ? '' : `, ${spanWords(ms)}`}`;
}

/**
 * The path of a rectangle with rounded corners. Its outline is one pixel wide, so it runs through the middle of the
 * pixels.
 */
function barOf(run: BarRun, x: number, longestMs: number): string {
  const share = Math.sqrt((run.duration_ms ?? 0) / longestMs);
  const isOpen = run.status === 'running' || run.status === 'waiting_approval';
  const full = run.status === 'pending' ? 1 : isOpen ? openPx : Math.max(4, Math.round(share * heightPx));
  const [width, height] = [barPx - 1, Math.max(1, full - 1)];
  const r = Math.min(1, height / 2);
  const [across, up] = [width - 2 * r, height - 2 * r];
  const corner = (dx: number, dy: number): string => `a${r},${r} 0 0 1 ${dx},${dy}`;
  return (
    `M${x + 0.5 + r},${heightPx - full + 0.5}h${across}${corner(r, r)}v${up}${corner(-r, r)}` +
    `h${-across}${corner(-r, -r)}v${-up}${corner(r, -r)}z`
  );
}

/** The stroke below the bar of a failed run, for people who cannot tell the colours apart. */
function footOf(x: number): string {
  return `M${x},${heightPx + 1}h${barPx}v1.5h${-barPx}z`;
}

function summaryOf(runs: readonly BarRun[]): string {
  const counts = new Map<string, number>();
  for (const { status } of runs) counts.set(looks[status].word, (counts.get(looks[status].word) ?? 0) + 1);
  return [...counts].map(([word, count]) => `${count} ${word.toLowerCase()}`).join(', ');
}
