// Reads the journal without gaps: first the entries that it has, then new ones as they are written. Entries come from
// the hub's memory if it reaches back far enough, and otherwise from the database.

import type { JournalEntry } from '../../domain/event.ts';
import { type Reach, reaches } from '../../domain/principal.ts';
import { type Hub, lastIdOf } from '../../engine/hub.ts';
import { defined } from '../../lib/defined.ts';
import { createWakeSignal } from '../../lib/wake-signal.ts';
import type { Journal } from '../../store/journal.ts';

export type FeedPart = {
  readonly entries: readonly JournalEntry[];
  /** Every matching entry up to this id is in this part or in an earlier one. */
  readonly reachedId: number;
  /** There are no further entries at the moment. */
  readonly isCaughtUp: boolean;
};

const pageEntries = 500;

/**
 * Yields the entries with an id after `afterId`, of one run or of all runs that the caller may see, until the signal is
 * aborted.
 */
export async function* followJournal(
  o: { readonly hub: Hub; readonly journal: Journal },
  from: { readonly afterId: number; readonly runId: string | undefined; readonly reach: Reach },
  signal: AbortSignal,
): AsyncGenerator<FeedPart, void> {
  const { hub, journal } = o;
  const { runId, reach } = from;
  const isIn = (entry: JournalEntry): boolean =>
    reaches(reach, entry) && (runId === undefined || entry.runId === runId);
  const wake = createWakeSignal(signal);
  const stop = hub.onEvents(wake.raise);
  let afterId = from.afterId;
  try {
    while (!signal.aborted) {
      // Everything up to this id is committed, so a page that is not full has every matching entry up to it.
      const latestId = hub.latestId;
      const recent = hub.recent(afterId);
      const found = recent ?? (await journal.read({ afterId, limit: pageEntries, ...defined({ runId }) }));
      const isCaughtUp = recent !== undefined || found.length < pageEntries;
      const last = found.at(-1);
      const reached = last ? lastIdOf(last) : afterId;
      afterId = isCaughtUp ? Math.max(reached, latestId) : reached;
      yield { entries: found.filter(isIn), reachedId: afterId, isCaughtUp };
      if (isCaughtUp) await wake.raised();
    }
  } finally {
    stop();
  }
}
