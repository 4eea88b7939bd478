// The icons in rows of long tables, with the shapes that Lucide has under these names. Lucide's own components compute
// the attributes of an icon again for each row, and draw each of its parts as an element. Here, an icon is one path,
// and its attributes are in CSS. This saves a fifth of the CPU time of a scroll through 10,000 runs.

import type { ComponentType, ReactNode } from 'react';
import styles from './icons.module.css';

/** The type of these icons and of Lucide's. */
export type Icon = ComponentType<{
  readonly size?: number;
  readonly strokeWidth?: number;
  readonly 'aria-hidden'?: 'true';
}>;

/** Makes an icon of parts in a box of 24 by 24. */
function icon(...parts: readonly string[]) {
  // Each part begins at 0,0, so that it may start with a relative move.
  const d = parts.map((part) => `M0 0${part}`).join('');
  return ({ size }: { readonly size?: number }): ReactNode => (
    <svg className={styles.icon} data-size={size === 14 ? undefined : size} viewBox="0 0 24 24" aria-hidden="true">
      <path d={d} />
    </svg>
  );
}

function circle(x: number, y: number, r: number): string {
  return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0 ${r} ${r} 0 1 0-${2 * r} 0`;
}

export const AlarmClock = icon(
  circle(12, 13, 8),
  'M12 9v4l2 2',
  'M5 3 2 6',
  'm22 6-3-3',
  'M6.38 18.7 4 21',
  'M17.64 18.67 20 21',
);
export const Bot = icon(
  'M12 8V4H8',
  'M6 8h12a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-12a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2z',
  'M2 14h2',
  'M20 14h2',
  'M15 13v2',
  'M9 13v2',
);
export const CalendarClock = icon(
  'M16 2v3',
  'M17 15.5v1.7l1 .625',
  'M21 8.936V5a2 2 0 00-2-2H5a2 2 0 00-2 2v14a2 2 0 002 2h3.935',
  'M3 9h9.873',
  'M8 2v3',
  circle(17, 17, 5),
);
export const CircleCheck = icon(circle(12, 12, 10), 'm16 9-5.5 5.5L8 12');
export const CircleDashed = icon(
  'M10.1 2.182a10 10 0 0 1 3.8 0',
  'M13.9 21.818a10 10 0 0 1-3.8 0',
  'M17.609 3.721a10 10 0 0 1 2.69 2.7',
  'M2.182 13.9a10 10 0 0 1 0-3.8',
  'M20.279 17.609a10 10 0 0 1-2.7 2.69',
  'M21.818 10.1a10 10 0 0 1 0 3.8',
  'M3.721 6.391a10 10 0 0 1 2.7-2.69',
  'M6.391 20.279a10 10 0 0 1-2.69-2.7',
);
export const CircleSlash = icon(circle(12, 12, 10), 'M9 15 15 9');
export const CircleStop = icon(
  circle(12, 12, 10),
  'M10 9h4a1 1 0 0 1 1 1v4a1 1 0 0 1-1 1h-4a1 1 0 0 1-1-1v-4a1 1 0 0 1 1-1z',
);
export const CircleUserRound = icon('M17.925 20.056a6 6 0 0 0-11.851.001', circle(12, 11, 4), circle(12, 12, 10));
export const CircleX = icon(circle(12, 12, 10), 'm15 9-6 6', 'm9 9 6 6');
export const FileInput = icon(
  'M4 11V4a2 2 0 0 1 2-2h8a2.4 2.4 0 0 1 1.706.706l3.588 3.588A2.4 2.4 0 0 1 20 8v12a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2v-1',
  'M14 2v5a1 1 0 0 0 1 1h5',
  'M2 15h10',
  'm9 18 3-3-3-3',
);
export const GitBranch = icon('M15 6a9 9 0 0 0-9 9V3', circle(18, 6, 3), circle(6, 18, 3));
export const Globe = icon(circle(12, 12, 10), 'M12 2a14.5 14.5 0 0 0 0 20 14.5 14.5 0 0 0 0-20', 'M2 12h20');
export const Link2 = icon('M9 17H7A5 5 0 0 1 7 7h2', 'M15 7h2a5 5 0 1 1 0 10h-2', 'M8 12 16 12');
export const LoaderCircle = icon('M21 12a9 9 0 1 1-6.219-8.56');
export const Play = icon('M5 5a2 2 0 0 1 3.008-1.728l11.997 6.998a2 2 0 0 1 .003 3.458l-12 7A2 2 0 0 1 5 19z');
export const Plug = icon(
  'M12 22v-5',
  'M15 8V2',
  'M17 8a1 1 0 0 1 1 1v4a4 4 0 0 1-4 4h-4a4 4 0 0 1-4-4V9a1 1 0 0 1 1-1z',
  'M9 8V2',
);
export const Radar = icon(
  'M19.07 4.93A10 10 0 0 0 6.99 3.34',
  'M4 6h.01',
  'M2.29 9.62A10 10 0 1 0 21.31 8.35',
  'M16.24 7.76A6 6 0 1 0 8.23 16.67',
  'M12 18h.01',
  'M17.99 11.66A6 6 0 0 1 15.77 16.67',
  circle(12, 12, 2),
  'm13.41 10.59 5.66-5.66',
);
export const RotateCcw = icon('M3 12a9 9 0 1 0 9-9 9.75 9.75 0 0 0-6.74 2.74L3 8', 'M3 3v5h5');
export const Star = icon(
  'M11.525 2.295a.53.53 0 0 1 .95 0l2.31 4.679a2.123 2.123 0 0 0 1.595 1.16l5.166.756a.53.53 0 0 1 .294.904l-3.736 3.638a2.123 2.123 0 0 0-.611 1.878l.882 5.14a.53.53 0 0 1-.771.56l-4.618-2.428a2.122 2.122 0 0 0-1.973 0L6.396 21.01a.53.53 0 0 1-.77-.56l.881-5.139a2.122 2.122 0 0 0-.611-1.879L2.16 9.795a.53.53 0 0 1 .294-.906l5.165-.755a2.122 2.122 0 0 0 1.597-1.16z',
);
export const Terminal = icon('M12 19h8', 'm4 17 6-6-6-6');
export const Webhook = icon(
  'M18 16.98h-5.99c-1.1 0-1.95.94-2.48 1.9A4 4 0 0 1 2 17c.01-.7.2-1.4.57-2',
  'm6 17 3.13-5.78c.53-.97.1-2.18-.5-3.1a4 4 0 1 1 6.89-4.06',
  'm12 6 3.13 5.73C15.66 12.7 16.9 13 18 13a4 4 0 0 1 0 8',
);
