// Decides when to notify clients that jobs have changed.

/**
 * How long to wait for further changes. Many files may change at once, and each listing of the tools counts towards the
 * caller's rate limit.
 */
const settleMs = 1_000;
/**
 * The pause before the next attempt. The caller may have reached its rate limit, which counts the requests of each
 * second.
 */
const againMs = 2_000;

/**
 * Collects clients, and a moment later calls `notify` for each of them, one after another.
 * @param notify returns whether it is done; if not, it is called again after a pause
 */
export function createChanges<One>(notify: (one: One) => Promise<boolean>) {
  const noted = new Set<One>();
  const undone = new Set<One>();
  let notifying: NodeJS.Timeout | undefined;
  let again: NodeJS.Timeout | undefined;

  function note(ones: Iterable<One>): void {
    for (const one of ones) noted.add(one);
    if (noted.size === 0) return;
    notifying ??= setTimeout(() => {
      void notifyNoted().finally(() => {
        notifying = undefined;
        note([]);
      });
    }, settleMs).unref();
  }

  async function notifyNoted(): Promise<void> {
    const ones = [...noted];
    noted.clear();
    for (const one of ones) {
      if (await notify(one)) undone.delete(one);
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
      clearTimeout(notifying);
      clearTimeout(again);
    },
  };
}
