// Holds a schedule, so that it starts no runs until it is released. The latest hold or release counts, and overrides
// config.yaml (ADR 0011).

import type { Schedule } from '../../domain/schedule.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Store } from '../../store/open.ts';
import type { Tracking } from './schedule-tracking.ts';

type Parts = { readonly store: Store; readonly clock: Clock };

/** Once this resolves, no run of the schedule is added, not even one that was about to start. */
export async function holdSchedule({ id }: Schedule, tracking: Tracking, { store, clock }: Parts): Promise<void> {
  const atMs = clock.now();
  await store.db.transact((tx) => store.schedules.hold(tx, id, atMs));
  tracking.rest(id, { held: true, notBeforeMs: null, idleSinceMs: atMs });
}

/** From now on, the schedule fires only at nominal times after `afterMs`. The default is now. */
export async function releaseSchedule(
  schedule: Schedule,
  afterMs: number | undefined,
  tracking: Tracking,
  { store, clock }: Parts,
): Promise<void> {
  if (afterMs === undefined && !tracking.isHeld(schedule)) return;
  const nowMs = clock.now();
  const after = afterMs ?? nowMs;
  const isOn = tracking.isOn(schedule);
  const release = {
    sinceMs: Math.min(after, nowMs),
    notBeforeMs: after > nowMs ? after : null,
    idleSinceMs: isOn ? null : nowMs,
  };
  await store.db.transact(async (tx) => {
    await store.schedules.release(tx, schedule.id, release);
    await store.schedules.setJob(tx, schedule.id, schedule.jobId);
  });
  if (isOn) tracking.track(schedule, { ...release, held: false });
  else tracking.rest(schedule.id, { ...release, held: false });
}
