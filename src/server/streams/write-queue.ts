// Large writes of all streams, one behind the other: a socket takes some MB at once for a reader that stands still (2 ms each),
// and fifty such readers would hold up everybody else for half a second.

const sliceMs = 8;

/** To be asked right before a large write: nothing to wait for until the turn of the event loop is used up, then one by one. */
export function createWriteQueue(): () => Promise<void> | undefined {
  const waiting: (() => void)[] = [];
  let startedAt: number | undefined;

  function begin(): void {
    startedAt = performance.now();
    setImmediate(next);
  }

  /** In the next turn: whoever waits longest, and all others once nobody waits. */
  function next(): void {
    startedAt = undefined;
    const first = waiting.shift();
    if (!first) return;
    begin();
    first();
  }

  return () => {
    if (startedAt === undefined) begin();
    const isUsedUp = performance.now() - (startedAt ?? 0) > sliceMs;
    if (waiting.length === 0 && !isUsedUp) return undefined;
    return new Promise((resolve) => waiting.push(resolve));
  };
}
