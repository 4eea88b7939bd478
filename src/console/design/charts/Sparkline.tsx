// A small line without axes: the trend of a number. Its last point is marked.

import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';
import type { ReactNode } from 'react';
import styles from './Charts.module.css';

const inset = 3;

export function Sparkline({
  values,
  label,
  look = 'plain',
  joinsGaps = false,
  isLastOpen = false,
  width = 64,
  height = 18,
}: {
  /**
   * The values, oldest first. null: there is no value for that time, so the line has a gap there unless it `joinsGaps`.
   */
  readonly values: readonly (number | null)[];
  /** What the line says, in words. */
  readonly label: string;
  readonly joinsGaps?: boolean;
  /** The hour or day of the last value is not over, so the value may still change. The line to it is dashed. */
  readonly isLastOpen?: boolean;
  readonly look?: 'plain' | 'late' | 'success' | 'failed';
  readonly width?: number;
  readonly height?: number;
}): ReactNode {
  const points = values.flatMap((value, index) => (value === null ? [] : [{ value, index }]));
  const last = points.at(-1);
  // A single value is not a trend.
  if (!last || points.length < 2) return null;
  const numbers = points.map(({ value }) => value);
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const x = scaleLinear([0, Math.max(1, values.length - 1)], [inset, width - inset]);
  const y = scaleLinear(least === most ? [least - 1, most + 1] : [least, most], [height - inset, inset]);
  const drawn = joinsGaps ? points : values.map((value, index) => ({ value, index }));
  const path = line<(typeof drawn)[number]>()
    .defined(({ value }) => value !== null)
    .x(({ index }) => x(index))
    .y(({ value }) => y(value ?? 0));
  const open = isLastOpen ? drawn.slice(-2) : [];
  return (
    <svg width={width} height={height} role="img" aria-label={label} className={styles.spark} data-look={look}>
      <title>{label}</title>
      <path d={path(isLastOpen ? drawn.slice(0, -1) : drawn) ?? ''} />
      {open.length > 0 && <path d={path(open) ?? ''} className={styles.open} />}
      <circle cx={x(last.index)} cy={y(last.value)} r="2" />
    </svg>
  );
}
