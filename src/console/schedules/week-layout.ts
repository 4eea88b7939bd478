// Where the times of a week are drawn. An hour in which many schedules fire on one day is taller, for all seven days.

import type { Fire } from './schedule-data.ts';

/** Targets this far apart are large enough for WCAG 2.2. */
const rowPx = 24;
const emptyPx = 13;
const padPx = 4;
/** More than these of one hour and day are only counted. */
const mostOfHour = 12;

type Placed = { readonly fire: Fire; readonly top: number };
export type Day = {
  readonly date: Date;
  readonly placed: readonly Placed[];
  /** Hours with more times than are drawn. */
  readonly more: readonly { readonly top: number; readonly fires: readonly Fire[] }[];
};
export type Week = {
  readonly days: readonly Day[];
  /** The top of each hour, and the end of the last one. */
  readonly hourTops: readonly number[];
  readonly heightPx: number;
};

/** Monday, 00:00 by the browser's clock. */
export function mondayOf(at: Date): Date {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate() - ((at.getDay() + 6) % 7));
}

/** Not 24 hours later: a day of a clock change has 23 or 25. */
export function addDays(date: Date, days: number): Date {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days);
}

export function layOut(monday: Date, fires: readonly Fire[]): Week {
  const dates = Array.from({ length: 7 }, (_, day) => addDays(monday, day));
  const byDay = dates.map((date) => {
    const hours = Array.from({ length: 24 }, (): Fire[] => []);
    const end = addDays(date, 1).getTime();
    for (const fire of fires) {
      const at = new Date(fire.nominal_at);
      if (at.getTime() >= date.getTime() && at.getTime() < end) hours[at.getHours()]?.push(fire);
    }
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

/** Where an instant is in its day. */
export function topOf(at: Date, hourTops: readonly number[]): number {
  const [top = 0, next = top] = hourTops.slice(at.getHours(), at.getHours() + 2);
  return top + ((next - top) * at.getMinutes()) / 60;
}

/** The last row of a crowded hour says how many more there are. */
function shownOf(fires: readonly Fire[]): readonly Fire[] {
  return fires.length > mostOfHour ? fires.slice(0, mostOfHour) : fires;
}

function placeDay(
  { date, hours }: { readonly date: Date; readonly hours: readonly Fire[][] },
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
    for (const [n, fire] of shown.entries()) {
      // As near to its minute as the rows before and after it allow.
      const wanted = topOf(new Date(fire.nominal_at), tops);
      const top = Math.max(free, Math.min(wanted, end - (rows - n) * rowPx));
      placed.push({ fire, top });
      free = top + rowPx;
    }
    if (isCrowded) more.push({ top: end - rowPx, fires: fires.slice(mostOfHour - 1) });
  }
  return { date, placed, more };
}
