// Decides when to tell clients that jobs have changed.

/** Many files may change at once, and each look at the tools counts towards the limits of the caller. */
const settleMs = 1_000;
/** A caller may have used up its requests, which are counted for a second. */
const againMs = 2_000;

/**
 * Calls `tell` for each noted client, a moment later, and never for two at a time.
 * @param tell says whether it is done; otherwise it is called again after a pause
 */
export function createChanges<One>(tell: (one: One) => Promise<boolean>) {
  const noted = new Set<One>();
  const undone = new Set<One>();
  let telling: NodeJS.Timeout | undefined;
  let again: NodeJS.Timeout | undefined;

  function note(ones: Iterable<One>): void {
    for (const one of ones) noted.add(one);
    if (noted.size === 0) return;
    telling ??= setTimeout(() => {
      void tellNoted().finally(() => {
        telling = undefined;
        note([]);
      });
    }, settleMs).unref();
  }

  async function tellNoted(): Promise<void> {
    const ones = [...noted];
    noted.clear();
    for (const one of ones) {
      if (await tell(one)) undone.delete(one);
      else undone.add(one);
    }
    if (undone.size === 0) return;
    again ??= setTimeout(() => {
      again = undefined;
      note(undone);
    }, againMs).unref();
  }

  return {
    note,
    close(): void {
      clearTimeout(telling);
      clearTimeout(again);
    },
  };
}
