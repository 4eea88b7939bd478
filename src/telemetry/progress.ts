// Where an export's search of the journal continues, and how its last requests went.

import type { ExportState } from '../store/exports.ts';
import type { Sent } from './send.ts';
import type { ExportOptions, Source } from './source.ts';

const savedEveryMs = 10_000;

export type Progress = ReturnType<typeof createProgress>;

export function createProgress(
  { kind, says }: Pick<Source<unknown>, 'kind' | 'says'>,
  { store, clock, log, collector, beginsAt }: ExportOptions,
) {
  const { origin } = new URL(collector.endpoint);
  const told = { isDropping: false, isRefused: false };
  let state: ExportState | undefined;
  let isSaved = false;
  let savedAtMs = clock.monotonicMs();

  async function save(): Promise<void> {
    const now = state;
    if (!now || isSaved) return;
    isSaved = true;
    savedAtMs = clock.monotonicMs();
    await store.db
      .transact((tx) => store.exports.setState(tx, kind, now))
      .catch((error: unknown) => {
        isSaved = false;
        throw error;
      });
  }

  async function change(part: Partial<ExportState>): Promise<void> {
    const before = state;
    if (!before) return;
    state = { ...before, ...part };
    isSaved = false;
    const isFirstSent = before.sentAtMs === null && state.sentAtMs !== null;
    const isNews = isFirstSent || state.error !== before.error;
    if (isNews || clock.monotonicMs() - savedAtMs >= savedEveryMs) await save();
  }

  return {
    save,
    async open(): Promise<number> {
      if (!state) {
        const stored = await store.exports.state(kind);
        state = stored ?? { nextId: beginsAt, sentAtMs: null, failedAtMs: null, error: null };
        isSaved = stored !== undefined;
        // This is saved at once. Otherwise, the next start after a crash would begin at a later event.
        await save();
      }
      return state.nextId;
    },
    move: (nextId: number) => change({ nextId }),
    /** @param count the number of runs or lines that are too old */
    drop(count: number): void {
      if (count === 0 || told.isDropping) return;
      told.isDropping = true;
      log.warn({ origin, dropped: count }, says.tooOld);
    },
    async note(sent: Sent): Promise<void> {
      if (sent.kind === 'taken') {
        if (state?.error) log.info({ origin }, says.again);
        told.isDropping = false;
        told.isRefused = false;
        await change({ sentAtMs: clock.now(), error: null });
        return;
      }
      const { kind: outcome, error } = sent;
      if (outcome === 'refused' && !told.isRefused) {
        told.isRefused = true;
        log.warn({ origin, error }, says.refused);
      } else if (outcome === 'later' && !state?.error) {
        log.warn({ origin, error }, says.later);
      }
      await change({ failedAtMs: clock.now(), error });
    },
  };
}
