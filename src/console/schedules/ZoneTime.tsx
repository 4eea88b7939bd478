// A time by the clocks of a schedule.

import type { ReactNode } from 'react';
import { useNow } from '../session/clock.ts';
import { exactTime } from '../words.ts';
import { timeIn } from './zone-time.ts';

export function ZoneTime({ at, zone }: { readonly at: string; readonly zone: string }): ReactNode {
  const now = useNow(60_000);
  return (
    <time dateTime={at} title={exactTime(at)}>
      {timeIn(zone, at, now)}
    </time>
  );
}
