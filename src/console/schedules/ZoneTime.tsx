// A time in the time zone of a schedule.

import type { ReactNode } from 'react';
import { useNow } from '../session/clock.ts';
import { exactTime } from '../words.ts';
import styles from './ZoneTime.module.css';
import { timeIn, zoneName } from './zone-time.ts';

export function ZoneTime({
  at,
  zone,
  isNamed = false,
}: {
  readonly at: string;
  readonly zone: string;
  /** Adds the name of the zone, for places where nothing else names it. */
  readonly isNamed?: boolean;
}): ReactNode {
  const now = useNow(60_000);
  const name = isNamed ? zoneName(zone, at) : '';
  return (
    <time dateTime={at} title={exactTime(at)} className={styles.time}>
      {timeIn(zone, at, now)}
      {name !== '' && <span className={styles.zone}> {name}</span>}
    </time>
  );
}
