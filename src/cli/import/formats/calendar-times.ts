// Represents the times of a schedule in another program as lists of numbers, and makes the cron pattern that fires at
// these times.

const ranges = {
  minutes: [0, 59],
  hours: [0, 23],
  days: [1, 31],
  months: [1, 12],
  weekdays: [0, 6],
} as const satisfies Record<string, readonly [number, number]>;

export type TimeField = keyof typeof ranges;

/** A missing field matches everything. A time must match all fields, the day as well as the weekday. */
export type CalendarTimes = {
  readonly minutes?: readonly number[];
  readonly hours?: readonly number[];
  readonly days?: readonly number[];
  readonly months?: readonly number[];
  /** Sunday is 0. */
  readonly weekdays?: readonly number[];
  /** Replaces `days`. `day`: the last day of the month. `weekday`: the last of `weekdays` in the month. */
  readonly isLast?: 'day' | 'weekday';
};

export function smallestOf(field: TimeField): number {
  return ranges[field][0];
}

export function largestOf(field: TimeField): number {
  return ranges[field][1];
}

/** @throws RangeError when a number is outside of its field */
export function toCron(times: CalendarTimes): string {
  const [minutes, hours, days, months, weekdays] = (['minutes', 'hours', 'days', 'months', 'weekdays'] as const).map(
    (field) => fieldOf(field, times[field], field === 'minutes' && times.hours === undefined),
  );
  if (times.isLast === 'weekday')
    return `${minutes} ${hours} * ${months} ${sorted(times.weekdays ?? [])
      .map((day) => `${day}L`)
      .join(',')}`;
  const day = times.isLast === 'day' ? 'L' : days;
  // If day and weekday are both restricted, cron fires when either matches; `+` means that both must.
  const both = day !== '*' && weekdays !== '*' ? '+' : '';
  return `${minutes} ${hours} ${day} ${months} ${both}${weekdays}`;
}

/**
 * Steps are used only if every hour matches. Otherwise they would change what happens when the clocks are set forward.
 * A pattern with a step skips the hour that does not exist, but a plain number fires after it.
 */
function fieldOf(field: TimeField, values: readonly number[] | undefined, maySteps: boolean): string {
  const [from, to] = ranges[field];
  if (values === undefined) return '*';
  const numbers = sorted(values);
  for (const value of numbers) {
    if (!Number.isInteger(value) || value < from || value > to)
      throw new RangeError(`${value} is not between ${from} and ${to}`);
  }
  if (numbers.length === 0 || numbers.length === to - from + 1) return '*';
  const [first = 0, second = 0] = numbers;
  const step = second - first;
  const isStep = numbers.length > 2 && first === from && numbers.every((value, at) => value === from + at * step);
  if (maySteps && isStep && from + numbers.length * step > to) return `*/${step}`;
  return runsOf(numbers)
    .map(([start, end]) => (end - start > 1 ? `${start}-${end}` : start === end ? `${start}` : `${start},${end}`))
    .join(',');
}

function runsOf(numbers: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const value of numbers) {
    const last = runs.at(-1);
    if (last && last[1] === value - 1) last[1] = value;
    else runs.push([value, value]);
  }
  return runs;
}

function sorted(values: readonly number[]): number[] {
  return [...new Set(values)].toSorted((a, b) => a - b);
}
