// Times and durations in the words of the design: local times, with the exact instant on hover.

import type { ReactNode } from 'react';
import { secondsWords, spanWords, tookMs, workWords } from '../../../client/took.ts';
import { useNow } from '../../session/clock.ts';
import { ageWords, dayAndTime, exactTime, localTime, type RunRow, type Step } from '../../words.ts';
import styles from './Time.module.css';

const minuteMs = 60_000;

/** "14:06", "yesterday 18:22", "Tue 02:00", "14 Nov"; with `hasDay` "today 14:06". */
export function Time({ at, hasDay = false }: { readonly at: string; readonly hasDay?: boolean }): ReactNode {
  const now = useNow(minuteMs);
  return (
    <time className={styles.time} dateTime={at} title={exactTime(at)}>
      {hasDay ? dayAndTime(at, now) : localTime(at, now)}
    </time>
  );
}

/** "12 min ago", "in 11 h 28 min". Only used where the age matters more than the time. */
export function Age({ at }: { readonly at: string }): ReactNode {
  const now = useNow(10_000);
  return (
    <time className={styles.time} dateTime={at} title={exactTime(at)}>
      {ageWords(at, now)}
    </time>
  );
}

/** "340 ms", "4.1 s", "4 min 12 s". */
export function Duration({ ms }: { readonly ms: number }): ReactNode {
  return <span className={styles.time}>{spanWords(ms)}</span>;
}

/** The time since `since`, which grows every second. */
export function Elapsed({ since }: { readonly since: string }): ReactNode {
  const now = useNow(1_000);
  return <span className={styles.time}>{secondsWords(now - Date.parse(since))}</span>;
}

/** Shows how long a run or a step took, or has taken so far; nothing if it has not started. */
export function Took({ of }: { readonly of: Pick<Step, 'started_at' | 'finished_at'> }): ReactNode {
  if (of.started_at === null) return null;
  return of.finished_at === null ? <Elapsed since={of.started_at} /> : <Duration ms={tookMs(of) ?? 0} />;
}

/** Shows how long a run worked. If it waits for an approval, shows how long it has taken so far. */
export function Worked({ of }: { readonly of: RunRow }): ReactNode {
  const isRunning = of.started_at !== null && of.finished_at === null;
  const now = useNow(1_000, isRunning);
  const words = workWords(of, now);
  return words === '' ? null : <span className={styles.time}>{words}</span>;
}
