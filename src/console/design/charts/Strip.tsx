// A strip of time that shows what starts when. It has as many lanes as the names beside the marks need. Past marks have
// the colour of their result, future marks are grey, and a line marks the present.

import { scaleTime } from 'd3-scale';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { dayWords, localTime } from '../../words.ts';
import { type Look, looks } from '../text/Status.tsx';
import { useBoxWidth } from './box-width.ts';
import styles from './Strip.module.css';

export type StripItem = {
  readonly key: string;
  readonly atMs: number;
  readonly name: string;
  /** undefined: the run has not started yet. */
  readonly status?: Look;
  /** Shown before the name, such as "late 32 min". */
  readonly note?: string;
  readonly href: string;
};

const lanePx = 17;
const axisPx = 26;
const charPx = 6.4;
const gapPx = 14;
const barPx = 4;
const mostLanes = 10;
const tickPx = 96;
/** A label closer than this to the present would cover the word "now". */
const labelPx = 36;

export function Strip({
  label,
  fromMs,
  toMs,
  nowMs,
  items,
}: {
  readonly label: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly nowMs: number;
  readonly items: readonly StripItem[];
}): ReactNode {
  const [box, width] = useBoxWidth<HTMLDivElement>();
  const x = scaleTime([fromMs, toMs], [0, width]);
  const placed = placeItems(items, x, width);
  const lanes = 1 + Math.max(0, ...placed.map(({ lane }) => lane));
  return (
    <div ref={box} className={styles.strip} style={{ height: axisPx + lanes * lanePx + 4 }}>
      {x.ticks(Math.max(2, Math.floor(width / tickPx))).map((tick) => (
        <span key={tick.getTime()} className={styles.tick} style={{ left: x(tick) }} aria-hidden="true">
          {Math.abs(x(tick) - x(nowMs)) > labelPx && wordsWithin(width - x(tick), tick)}
        </span>
      ))}
      <span className={styles.past} style={{ width: Math.max(0, x(nowMs)) }} aria-hidden="true" />
      <ul aria-label={label} className={styles.items}>
        {placed.map(({ item, px, barPx, lane, isNamed, isBefore }) => (
          <li
            key={item.key}
            className={styles.item}
            data-before={isBefore || undefined}
            style={{ left: px, top: axisPx + lane * lanePx }}
          >
            <Link href={item.href} title={titleOf(item, nowMs)} data-status={item.status}>
              <i style={{ width: barPx }} />
              <span className={isNamed ? '' : 'unseen'}>{nameOf(item)}</span>
            </Link>
          </li>
        ))}
      </ul>
      <span className={styles.now} style={{ left: x(nowMs) }} aria-hidden="true">
        now
      </span>
    </div>
  );
}

/** @returns the label of a tick; null if it does not fit before the end of the strip */
function wordsWithin(px: number, tick: Date): string | null {
  const words = tick.getHours() === 0 ? dayWords(tick) : localTime(tick.toISOString(), tick.getTime());
  return words.length * charPx <= px ? words : null;
}

function nameOf(item: StripItem): string {
  return item.note === undefined ? item.name : `${item.note}: ${item.name}`;
}

function titleOf(item: StripItem, nowMs: number): string {
  const state = item.status === undefined ? '' : `, ${looks[item.status].word.toLowerCase()}`;
  return `${nameOf(item)}, ${localTime(new Date(item.atMs).toISOString(), nowMs)}${state}`;
}

/** Puts each item into the first lane that has room for its name. If no lane has room, only the mark is shown. */
function placeItems(items: readonly StripItem[], x: (at: Date | number) => number, width: number) {
  const ends: number[] = [];
  return items
    .toSorted((a, b) => a.atMs - b.atMs)
    .map((item) => {
      const px = x(item.atMs);
      const namePx = nameOf(item).length * charPx + gapPx;
      // Near the right end, the name is at the left of its mark.
      const isBefore = px + barPx + namePx > width;
      const [start, end] = isBefore ? [px - namePx, px + barPx + gapPx] : [px, px + barPx + namePx];
      const free = ends.findIndex((taken) => taken <= start);
      const lane = free === -1 ? ends.length : free;
      const isNamed = lane < mostLanes;
      if (isNamed) ends[lane] = end;
      return { item, px, barPx, lane: Math.min(lane, mostLanes), isNamed, isBefore };
    });
}
