// Where the times of a week are drawn. The UTC fields of each `Date` here hold the local time of the page's zone. So a
// day has 24 hours even if the clocks change. If many schedules fire in an hour of one day, that hour is taller on all
// seven days.

import type { Fire } from './schedule-data.ts';
import { wallAt } from './zone-time.ts';

const dayMs = 86_400_000;

/** A row of this height is large enough to click or tap (WCAG 2.2). */
const rowPx = 24;
const emptyPx = 13;
const padPx = 4;
/** The greatest number of rows in an hour of a day. If the hour has more times, its last row only counts the rest. */
const mostOfHour = 12;

type Timed = { readonly fire: Fire; readonly wall: Date };
type Placed = { readonly fire: Fire; readonly top: number };
export type Day = {
  readonly date: Date;
  readonly placed: readonly Placed[];
  /** The hours that have more times than are drawn. */
  readonly more: readonly { readonly top: number; readonly fires: readonly Fire[] }[];
};
export type Week = {
  readonly days: readonly Day[];
  /** The top of each hour, and the end of the last one. */
  readonly hourTops: readonly number[];
  readonly heightPx: number;
};

/** Monday, 00:00. */
export function mondayOf(wall: Date): Date {
  const midnight = wall.getTime() - (wall.getTime() % dayMs);
  return new Date(midnight - ((wall.getUTCDay() + 6) % 7) * dayMs);
}

export function addDays(wall: Date, days: number): Date {
  return new Date(wall.getTime() + days * dayMs);
}

/** `2026-11-30` */
export function isoDay(wall: Date): string {
  return wall.toISOString().slice(0, 10);
}

/** `14:06` */
export function isoTime(wall: Date): string {
  return wall.toISOString().slice(11, 16);
}

export function layOut(monday: Date, fires: readonly Fire[], zone: string): Week {
  const timed = fires.map((fire) => ({ fire, wall: wallAt(zone, new Date(fire.nominal_at)) }));
  const byDay = Array.from({ length: 7 }, (_, day) => {
    const date = addDays(monday, day);
    const hours = Array.from({ length: 24 }, (): Timed[] => []);
    for (const one of timed) if (isoDay(one.wall) === isoDay(date)) hours[one.wall.getUTCHours()]?.push(one);
    return { date, hours };
  });
  const heights = Array.from({ length: 24 }, (_, hour) => {
    const most = Math.max(...byDay.map(({ hours }) => shownOf(hours[hour] ?? []).length));
    return most === 0 ? emptyPx : most * rowPx + padPx;
  });
  const hourTops = [0];
  for (const height of heights) hourTops.push((hourTops.at(-1) ?? 0) + height);
  return { days: byDay.map((day) => placeDay(day, hourTops)), hourTops, heightPx: hourTops.at(-1) ?? 0 };
}

/** The vertical position of a time in its day. */
export function topOf(wall: Date, hourTops: readonly number[]): number {
  const [top = 0, next = top] = hourTops.slice(wall.getUTCHours(), wall.getUTCHours() + 2);
  return top + ((next - top) * wall.getUTCMinutes()) / 60;
}

/** Returns one time for each row of an hour. In a crowded hour, the last row shows how many more times there are. */
function shownOf(fires: readonly Timed[]): readonly Timed[] {
  return fires.length > mostOfHour ? fires.slice(0, mostOfHour) : fires;
}

function placeDay(
  { date, hours }: { readonly date: Date; readonly hours: readonly Timed[][] },
  tops: readonly number[],
): Day {
  const placed: Placed[] = [];
  const more: Day['more'][number][] = [];
  for (const [hour, fires] of hours.entries()) {
    const end = (tops[hour + 1] ?? 0) - padPx / 2;
    const isCrowded = fires.length > mostOfHour;
    const shown = isCrowded ? fires.slice(0, mostOfHour - 1) : fires;
    const rows = shown.length + (isCrowded ? 1 : 0);
    let free = (tops[hour] ?? 0) + padPx / 2;
    for (const [n, { fire, wall }] of shown.entries()) {
      // The row is placed as near to its minute as the rows before and after it allow.
      const wanted = topOf(wall, tops);
      const top = Math.max(free, Math.min(wanted, end - (rows - n) * rowPx));
      placed.push({ fire, top });
      free = top + rowPx;
    }
    if (isCrowded) more.push({ top: end - rowPx, fires: fires.slice(mostOfHour - 1).map(({ fire }) => fire) });
  }
  return { date, placed, more };
}
