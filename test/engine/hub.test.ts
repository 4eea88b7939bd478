import { expect, test } from 'vitest';
import type { JournalEntry } from '../../src/domain/event.ts';
import { createHub } from '../../src/engine/hub.ts';

const about = { runId: 'run_A', jobId: 'a', tenant: 'default', atMs: 0 };
const started = (id: number): JournalEntry => ({ ...about, id, type: 'run.started', count: 1, data: {} });
const output = (id: number, count: number): JournalEntry => ({
  ...about,
  id,
  type: 'run.output',
  firstSeq: 1,
  lineCount: count,
  count,
});
const ids = (entries: readonly JournalEntry[] | undefined) => entries?.map(({ id }) => id);

test('a listener gets each commit once, until it unsubscribes', () => {
  const hub = createHub(0);
  const seen: number[] = [];
  const leave = hub.onEvents((entries) => seen.push(...entries.map(({ id }) => id)));
  hub.publish([started(1), started(2)]);
  leave();
  hub.publish([started(3)]);
  expect(seen).toEqual([1, 2]);
});

test('the hub returns entries after an id, including an output entry of which the reader has seen a part', () => {
  const hub = createHub(10);
  hub.publish([started(11), output(12, 5), started(17)]);
  expect(hub.latestId).toBe(17);
  expect(ids(hub.recent(10))).toEqual([11, 12, 17]);
  expect(ids(hub.recent(14))).toEqual([12, 17]);
  expect(ids(hub.recent(16))).toEqual([17]);
  expect(ids(hub.recent(17))).toEqual([]);
});

test('entries from before the hub was opened, or dropped from it, must be read from the journal', () => {
  const hub = createHub(10);
  expect(hub.recent(9)).toBeUndefined();
  hub.publish(Array.from({ length: 20_000 }, (_, i) => started(11 + i)));
  expect(hub.recent(11)).toBeUndefined();
  expect(ids(hub.recent(20_008))).toEqual([20_009, 20_010]);
});
