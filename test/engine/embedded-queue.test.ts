import { describe } from 'vitest';
import { createEmbeddedQueue } from '../../src/engine/queue/embedded-queue.ts';
import { createSlots } from '../../src/engine/run/slots.ts';
import { testQueue } from './queue-contract.ts';

describe('the queue in memory', () => {
  testQueue(async (given) => {
    const limits = { globalConcurrency: 4, jobConcurrency: null, maxDepth: null, weightOf: () => 1, ...given };
    let readyCount = 0;
    const told = new Map<string, string>();
    const slots = createSlots(limits.globalConcurrency, () => undefined);
    const queue = createEmbeddedQueue({
      limits,
      slots,
      onReady: () => (readyCount += 1),
      setWaiting: (runId, waiting) => told.set(runId, waiting),
    });
    return { queue, slots, readyCount: () => readyCount, told: async () => told };
  });
});
