// The steps of a job or of a run as a graph. It is drawn from left to right. If it would then be too wide, it is drawn
// from top to bottom. A step with instances shows them as a grid. Steps are links in a list in the order of the job, so
// the graph can be read and used without seeing it.

import { Maximize2, ZoomIn, ZoomOut } from 'lucide-react';
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { Link } from 'wouter';
import type { StepStatus } from '../../domain/run.ts';
import { useBoxWidth } from '../design/charts/box-width.ts';
import { IconButton } from '../design/controls/Button.tsx';
import { looks, StatusIcon } from '../design/text/Status.tsx';
import { type Box, curveThrough, type Direction, type Layout, layOut } from './graph-layout.ts';
import { cellSize, type GraphCell, headHeight, InstanceGrid } from './InstanceGrid.tsx';
import type { Grid } from './instance-grid.ts';
import styles from './StepGraph.module.css';

export type GraphStep = {
  readonly id: string;
  readonly needs: readonly string[];
  /** null: there is no run yet. */
  readonly status: StepStatus | null;
  /** Shown below the name: how long the step took, what it waits for, or what kind of step it is. */
  readonly note: string;
  /** Given while a part of the note is not known yet: a text that is about as long as the note will be. */
  readonly noteRoom?: string;
  /** Shown beside the name, such as "1 of 6 failed" or "×3". */
  readonly aside?: string;
  /** null: the step is not a link. */
  readonly href: string | null;
  readonly grid?: Grid<GraphCell>;
};

export function StepGraph({
  steps,
  chosen,
  isLarge = false,
}: {
  readonly steps: readonly GraphStep[];
  /** The graph has a page to itself. */
  readonly isLarge?: boolean;
  /** The id of the step or cell that the page shows. */
  readonly chosen: string | null;
}): ReactNode {
  const boxes = steps.map((step) => boxOf(step, isLarge));
  // The graph of a running run is drawn every second, but its layout is computed only if its boxes have changed.
  const key = JSON.stringify(boxes);
  const pane = useRef<HTMLDivElement>(null);
  // Measures the frame. The width of the pane changes when a scroll bar appears, and each change would reset the zoom.
  const [frame, roomPx] = useBoxWidth<HTMLDivElement>();
  const { layout, direction } = useLayout(
    key,
    roomPx,
    isLarge || steps.some(({ status }) => status !== null) ? undefined : tightPx,
  );
  const { places, edges, width, height } = layout;
  const { zoom, fit, zoomBy } = useZoom(pane, width, roomPx, isLarge && direction === 'LR' ? largest : 1);
  const statusOf = new Map(steps.map(({ id, status }) => [id, status]));
  useEffect(() => {
    if (pane.current) showChosen(pane.current);
  }, [chosen, key, zoom]);
  return (
    <div className={styles.graph} ref={frame}>
      <div className={styles.pane} ref={pane} data-large={isLarge || undefined}>
        <div
          className={styles.canvas}
          style={{ width: width * zoom + 2 * padding, height: height * zoom + 2 * padding }}
        >
          <div className={styles.scaled} style={{ width, height, transform: `scale(${zoom})` }}>
            <svg width={width} height={height} aria-hidden="true" className={styles.edges}>
              {edges.map(({ from, to, points }) => (
                <path
                  key={`${from} ${to}`}
                  d={curveThrough(points, direction)}
                  data-look={edgeLook(statusOf.get(from), statusOf.get(to))}
                />
              ))}
            </svg>
            <ol aria-label="Graph of the steps">
              {steps.map((step, at) => {
                const { x, y } = places.get(step.id) ?? { x: 0, y: 0 };
                const box = boxes[at];
                return (
                  <li key={step.id} style={{ left: x, top: y, width: box?.width, height: box?.height }}>
                    <Node step={step} chosen={chosen} />
                  </li>
                );
              })}
            </ol>
          </div>
        </div>
      </div>
      <div className={styles.zoom}>
        <IconButton size="small" icon={ZoomOut} label="Smaller" onClick={() => zoomBy(1 / zoomStep)} />
        <IconButton size="small" icon={ZoomIn} label="Larger" onClick={() => zoomBy(zoomStep)} />
        <IconButton size="small" icon={Maximize2} label="Fit the width" onClick={fit} />
      </div>
    </div>
  );
}

/** Scrolls the graph, and not the page. */
function showChosen(pane: HTMLElement): void {
  const shown = pane.querySelector('[aria-current="true"]')?.getBoundingClientRect();
  const area = pane.getBoundingClientRect();
  if (
    !shown ||
    (shown.top >= area.top && shown.bottom <= area.bottom && shown.left >= area.left && shown.right <= area.right)
  )
    return;
  pane.scrollBy(
    (shown.left + shown.right - area.left - area.right) / 2,
    (shown.top + shown.bottom - area.top - area.bottom) / 2,
  );
}

function Node({ step, chosen }: { readonly step: GraphStep; readonly chosen: string | null }): ReactNode {
  const { id, status, note, noteRoom = note, aside = '', href, grid, needs } = step;
  const words = [
    `${id}${status === null ? '' : `: ${looks[status].word}`}`,
    aside,
    note,
    needs.length > 0 && `after ${needs.join(', ')}`,
  ];
  const label = words.filter(Boolean).join(', ');
  const content = (
    <>
      <span className="unseen">{label}</span>
      <span className={styles.name} aria-hidden="true">
        {status !== null && <StatusIcon of={status} />}
        <span className={styles.id}>{id}</span>
        {aside !== '' && <span className={styles.aside}>{aside}</span>}
      </span>
      {noteRoom !== '' && (
        <span className={styles.note} aria-hidden="true">
          {breakable(note)}
        </span>
      )}
    </>
  );
  const isChosen = id === chosen;
  return (
    <div className={styles.node} data-state={status ?? 'none'} data-chosen={isChosen || undefined}>
      {href === null ? (
        <div className={styles.head} title={label}>
          {content}
        </div>
      ) : (
        <Link href={href} replace className={styles.head} title={label} aria-current={isChosen ? 'true' : undefined}>
          {content}
        </Link>
      )}
      {grid && <InstanceGrid of={id} grid={grid} chosen={chosen} />}
    </div>
  );
}

function edgeLook(from: StepStatus | null | undefined, to: StepStatus | null | undefined): string {
  if (from === 'failed') return 'failed';
  return to === 'skipped' ? 'skipped' : 'plain';
}

const padding = 10;
/** The boxes of a plan can be narrower, because they have no status and no growing time. */
const least = { width: 132, widthOfPlanned: 76, height: 42 };
const widest = { width: 220, widthOfPlanned: 96 };
const headPx = 42;
/** The gap between the steps of a plan. It is smaller, because the plan is beside the form and has less room. */
const tightPx = 14;

/** The approximate width of a letter. */
const letterPx = { name: 7.2, small: 6.3, note: 6.6 };
const linePx = 18;

function boxOf({ id, needs, status, aside = '', grid, ...step }: GraphStep, isLarge: boolean): Box {
  const note = step.noteRoom ?? step.note;
  const isPlanned = status === null;
  const besideName = isPlanned ? 24 : 44;
  const nameWidth = besideName + id.length * letterPx.name + (aside === '' ? 0 : 12 + aside.length * letterPx.small);
  // The note of a running step changes every second. A box that grew with it would move the other boxes.
  const noteWidth = isPlanned ? 20 + note.length * letterPx.note : 40 + Math.min(note.length, 12) * letterPx.small;
  const bound = isPlanned ? 'widthOfPlanned' : 'width';
  const own = Math.min(Math.max(least[bound], nameWidth, noteWidth), isLarge ? widest.width : widest[bound]);
  if (!grid) {
    // The note of a planned step wraps. All other notes have one line.
    const lines = isPlanned ? linesOf(note, Math.floor((own - 18) / letterPx.note)) : 1;
    return { id, needs, width: Math.ceil(own), height: least.height + (lines - 1) * linePx };
  }
  const cell = cellSize(grid);
  const names = grid.rows.map(({ name }) => name.length);
  const named = Math.max(0, ...names, grid.corner.length);
  const namesWidth = named === 0 ? 0 : Math.min(120, named * letterPx.small + 14);
  const across = Math.max(1, ...grid.rows.map(({ cells }) => cells.length));
  const width = Math.max(own, namesWidth + across * cell.width + 20);
  return {
    id,
    needs,
    width: Math.ceil(width),
    height: Math.ceil(headPx + headHeight(grid) + grid.rows.length * cell.height + 8),
  };
}

/** The id of a job breaks after its slashes. */
function breakable(note: string): string {
  return note.replaceAll('/', '/\u200B');
}

/** How many lines a text takes. Words that are longer than a line are broken. */
function linesOf(text: string, letters: number): number {
  let lines = 1;
  let used = 0;
  for (const { length } of breakable(text).split(/[ \u200B]/)) {
    const isFitting = used === 0 || used + 1 + length <= letters;
    if (!isFitting) lines += 1;
    used = isFitting && used > 0 ? used + 1 + length : length;
    while (used > letters) {
      lines += 1;
      used -= letters;
    }
  }
  return lines;
}

const zoomStep = 1.25;
const smallest = 0.3;
/** At this zoom, the smallest text shrinks from 12 to 11 pixels and can still be read. */
const readable = 0.92;
const largest = 1.35;
/** Up to this many steps, both layouts are computed fast enough to compare them. */
const mostDownwards = 60;

/**
 * Lays the graph out from left to right. If it would then be too wide to read, lays it out from top to bottom, unless
 * the graph would then be even wider.
 */
function useLayout(
  key: string,
  roomPx: number,
  betweenPx: number | undefined,
): { readonly layout: Layout; readonly direction: Direction } {
  const across = useMemo(() => layOut(JSON.parse(key), 'LR', betweenPx), [key, betweenPx]);
  const isTooWide = roomPx > 0 && across.width * readable > roomPx - 2 * padding && across.places.size <= mostDownwards;
  return useMemo(() => {
    const down = isTooWide ? layOut(JSON.parse(key), 'TB', betweenPx) : null;
    return down && down.width < across.width ? { layout: down, direction: 'TB' } : { layout: across, direction: 'LR' };
  }, [key, isTooWide, across, betweenPx]);
}

/** Initially the graph fits the width, unless it would then be too small to read. */
function useZoom(pane: React.RefObject<HTMLDivElement | null>, width: number, roomPx: number, most: number) {
  const [zoom, setZoom] = useState(1);
  const fitting = (leastZoom: number): number => {
    const room = (pane.current?.clientWidth ?? width) - 2 * padding;
    return Math.min(most, Math.max(leastZoom, room / width));
  };
  useEffect(() => setZoom(fitting(readable)), [width, roomPx, most]);
  return {
    zoom,
    fit: () => setZoom(fitting(smallest)),
    zoomBy: (factor: number) => setZoom((now) => Math.min(2, Math.max(smallest, now * factor))),
  };
}
