// The journal as one gapless sequence: what is kept, then what comes. Pulled from the hub's newest entries where they
// reach back far enough, else from the database.

import type { JournalEntry } from '../../domain/event.ts';
import { type Reach, reaches } from '../../domain/principal.ts';
import { type Hub, lastIdOf } from '../../engine/hub.ts';
import { createWakeSignal } from '../../lib/wake-signal.ts';
import type { Journal } from '../../store/journal.ts';
import { defined } from '../answers/defined.ts';

export type FeedPart = {
  readonly entries: readonly JournalEntry[];
  /** Nothing more is there now. */
  readonly isCaughtUp: boolean;
};

const pageEntries = 500;

/** Entries that own an id after `afterId`, of one run or of all that are reached, until the signal is aborted. */
export async function* followJournal(
  o: { readonly hub: Hub; readonly journal: Journal },
  from: { readonly afterId: number; readonly runId: string | undefined; readonly reach: Reach },
  signal: AbortSignal,
): AsyncGenerator<FeedPart, void> {
  const { hub, journal } = o;
  const { runId, reach } = from;
  const isIn = (entry: JournalEntry): boolean =>
    reaches(reach, entry.tenant) && (runId === undefined || entry.runId === runId);
  const wake = createWakeSignal(signal);
  const stop = hub.onEvents(wake.raise);
  let afterId = from.afterId;
  try {
    while (!signal.aborted) {
      // All up to here is committed, so a page that is not full holds every entry up to here that matches.
      const latestId = hub.latestId;
      const recent = hub.recent(afterId);
      const found = recent ?? (await journal.read({ afterId, limit: pageEntries, ...defined({ runId }) }));
      const isCaughtUp = recent !== undefined || found.length < pageEntries;
      const last = found.at(-1);
      const reached = last ? lastIdOf(last) : afterId;
      yield { entries: found.filter(isIn), isCaughtUp };
      afterId = isCaughtUp ? Math.max(reached, latestId) : reached;
      if (isCaughtUp) await wake.raised();
    }
  } finally {
    stop();
  }
}
