import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { NewAuditEntry } from '../../src/domain/audit.ts';
import { Problem } from '../../src/domain/problem.ts';
import { createRefusals, type Refusals } from '../../src/engine/refusals.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { anEntry } from '../store/an-entry.ts';

let written: NewAuditEntry[];
let refusals: Refusals;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-01-31T12:00:00Z') });
  written = [];
  refusals = createRefusals({
    audit: { record: async (entry) => void written.push(entry) },
    clock: { now: () => Date.now() },
    log: createLogger({ level: 'silent', format: 'json' }),
  });
});
afterEach(() => vi.useRealTimers());

function refuse(count: number, over: Partial<NewAuditEntry> = {}): void {
  for (let n = 0; n < count; n++) {
    const entry = anEntry({
      action: 'auth.fail',
      actor: 'anonymous',
      result: 'refused',
      reason: 'unauthenticated',
      ...over,
    });
    refusals.add(entry, new Problem('unauthenticated', 'no'));
  }
}

const omitted = () => written.filter(({ action }) => action === 'audit.omit').map(({ detail }) => detail);

test('an address gets twenty audit entries a minute; then one entry says how many were left out, and of whom', () => {
  refuse(120);
  expect(written).toHaveLength(20);
  vi.advanceTimersByTime(60_000);
  expect(omitted()).toEqual([
    { count: 100, since: '2026-01-31T12:00:00.000Z', by: [{ who: '127.0.0.1', count: 100 }] },
  ]);
  refuse(1);
  expect(written).toHaveLength(22);
  vi.advanceTimersByTime(600_000);
  expect(omitted()).toHaveLength(1);
});

test('ten thousand addresses together get a hundred audit entries a minute, and one entry counts the rest', () => {
  for (let n = 0; n < 10_000; n++) refuse(1, { from: `10.0.${n >> 8}.${n & 255}` });
  expect(written).toHaveLength(100);
  vi.advanceTimersByTime(60_000);
  expect(written).toHaveLength(101);
  expect(omitted()).toMatchObject([{ count: 9_900, by: expect.arrayContaining([{ who: 'others', count: 8_900 }]) }]);
});

test('refusals of anonymous callers do not use up the entries of known callers', () => {
  for (let n = 0; n < 10_000; n++) refuse(1, { from: `10.0.${n >> 8}.${n & 255}` });
  refuse(30, { actor: 'ci' });
  expect(written.filter(({ actor }) => actor === 'ci')).toHaveLength(20);
});

test('all callers over a rate limit together get one entry a minute', () => {
  refuse(500, { reason: 'rate-limited' });
  expect(written).toHaveLength(1);
  refuse(1);
  expect(written).toHaveLength(2);
});

test('when the server stops, it records how many entries were left out', async () => {
  refuse(21);
  await refusals.close();
  expect(omitted()).toMatchObject([{ count: 1 }]);
});
