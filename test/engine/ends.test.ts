import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { watchEnds } from '../../src/engine/ends.ts';
import { createHub } from '../../src/engine/hub.ts';

test('a wait for the end of a run may be longer than the longest timer of Node', async () => {
  const ends = watchEnds(createHub(0));
  const monthMs = 31 * 24 * 3_600_000;
  const over = ends.wait('run_1', monthMs).then(() => 'over');
  expect(await Promise.race([over, delay(50, 'still waiting')])).toBe('still waiting');
  ends.close();
  expect(await over).toBe('over');
});
