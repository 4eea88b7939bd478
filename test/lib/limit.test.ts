import { expect, test } from 'vitest';
import { createLimit } from '../../src/lib/limit.ts';

test('so many at a time, the others in order, failures included', async () => {
  const withLimit = createLimit(2);
  const begun: number[] = [];
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const all = gates.map(({ promise }, at) =>
    withLimit(async () => {
      begun.push(at);
      await promise;
      if (at === 1) throw new Error('no');
      return at;
    }).catch(() => 'failed'),
  );
  await expect.poll(() => begun).toEqual([0, 1]);
  gates[1]?.resolve();
  await expect.poll(() => begun).toEqual([0, 1, 2]);
  for (const { resolve } of gates) resolve();
  expect(await Promise.all(all)).toEqual([0, 'failed', 2, 3, 4]);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  expect(await withLimit(async () => 'again')).toBe('again');
});
