// Lets large writes of all streams run one after the other. A socket accepts several MB at once, and each MB takes 2
// ms. Without the queue, fifty readers that do not read would delay everybody else for half a second.

const sliceMs = 8;

/**
 * @returns a function to call right before a large write. It returns a promise to wait for, or undefined if the write
 * may begin at once.
 */
export function createWriteQueue(): () => Promise<void> | undefined {
  const waiting: (() => void)[] = [];
  let startedAt: number | undefined;

  function begin(): void {
    startedAt = performance.now();
    setImmediate(next);
  }

  /**
   * Starts one waiting write in each turn of the event loop. When no write is waiting, new writes may begin at once.
   */
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
