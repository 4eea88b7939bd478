import { expect, test } from 'vitest';
import { createWriteQueue } from '../../src/server/streams/write-queue.ts';

function write(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

test('once a turn of the event loop is used up, large writes of many streams run one by one', async () => {
  const waitToWrite = createWriteQueue();
  let turns = 0;
  let isOver = false;
  function count(): void {
    turns += 1;
    if (!isOver) setImmediate(count);
  }
  setImmediate(count);
  const writesOfTurn = new Map<number, number>();
  const stream = async (): Promise<void> => {
    for (let n = 0; n < 3; n++) {
      const waiting = waitToWrite();
      if (waiting) await waiting;
      writesOfTurn.set(turns, (writesOfTurn.get(turns) ?? 0) + 1);
      write(5);
    }
  };
  await Promise.all(Array.from({ length: 10 }, stream));
  isOver = true;
  expect([...writesOfTurn.values()].reduce((sum, writes) => sum + writes)).toBe(30);
  // At most two writes begin within the 8 ms of a turn of the event loop.
  expect(Math.max(...writesOfTurn.values())).toBeLessThanOrEqual(2);
});

test('a write that is alone in a turn of the event loop does not wait', () => {
  const waitToWrite = createWriteQueue();
  expect([waitToWrite(), waitToWrite()]).toEqual([undefined, undefined]);
});
