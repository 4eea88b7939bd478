import { expect, test } from 'vitest';
import {
  emptyLog,
  type HeldLine,
  heldLine,
  type LogView,
  mostLines,
  nextFound,
  scrolled,
  scrolledTo,
  topOf,
  withEarlier,
  withLast,
  withLater,
} from '../../src/tui/log/log-view.ts';

function lines(from: number, count: number): HeldLine[] {
  return Array.from({ length: count }, (_, index) => ({
    seq: from + index,
    timestamp: '2026-01-01T00:00:00.000000Z',
    level: 'info',
    text: `line ${from + index}`,
    step_id: 'step_01',
  }));
}

const rows = 10;
const ofHundred: LogView = { ...emptyLog, lines: lines(1, 100), isToEnd: true };
const full: LogView = { ...ofHundred, lines: lines(1, mostLines) };

const firstSeen = (view: LogView): number | undefined => view.lines[topOf(view, rows)]?.seq;
const ends = ({ lines: held }: LogView): unknown[] => [held[0]?.seq, held.at(-1)?.seq, held.length];

test('while following, the last lines are shown and the oldest lines are dropped', () => {
  expect(firstSeen(ofHundred)).toBe(91);
  const more = withLast(ofHundred, lines(101, 5));
  expect(firstSeen(more)).toBe(96);
  const cut = withLast(full, lines(mostLines + 1, 7));
  expect(ends(cut)).toEqual([8, mostLines + 7, mostLines]);
  expect(cut.isFromStart).toBe(false);
});

test('a reader who has scrolled up keeps their place, and new lines that do not fit are read later', () => {
  const up = scrolled(ofHundred, -20, rows);
  expect(firstSeen(up)).toBe(71);
  expect(firstSeen(withLast(up, lines(101, 50)))).toBe(71);
  const upInFull = scrolled(full, -20, rows);
  const left = withLast(upInFull, lines(mostLines + 1, 1));
  expect({ ...left, lines: [] }).toMatchObject({ isToEnd: false, isFromStart: true, isFollowing: false });
  expect(firstSeen(left)).toBe(firstSeen(upInFull));
  expect(withLast(left, lines(mostLines + 2, 1))).toBe(left);
});

test('scrolling to the last loaded line follows the log only if that is the log’s last line', () => {
  expect(scrolled(scrolled(ofHundred, -3, rows), 3, rows).isFollowing).toBe(true);
  expect(scrolled({ ...scrolled(ofHundred, -3, rows), isToEnd: false }, 9, rows).isFollowing).toBe(false);
  expect(scrolled(ofHundred, -1_000, rows)).toMatchObject({ top: 0, isFollowing: false });
});

test('adding pages moves nothing on the screen, and drops lines at the other end', () => {
  const inside: LogView = { ...full, lines: lines(5_001, mostLines), isFromStart: false, isFollowing: false, top: 40 };
  const before = withEarlier(inside, { lines: lines(4_001, 1_000), isFromStart: false });
  expect(firstSeen(before)).toBe(firstSeen(inside));
  expect(ends(before)).toEqual([4_001, 9_000, mostLines]);
  expect(before.isToEnd).toBe(false);
  const low = { ...inside, isToEnd: false, top: mostLines - 100 };
  const after = withLater(low, { lines: lines(10_001, 1_000), isLast: true });
  expect(firstSeen(after)).toBe(firstSeen(low));
  expect(ends(after)).toEqual([6_001, 11_000, mostLines]);
  expect(after).toMatchObject({ isToEnd: true, isFromStart: false });
});

test('a loaded line can be scrolled to', () => {
  expect(firstSeen(scrolledTo(ofHundred, 50, rows) ?? emptyLog)).toBe(47);
  expect(firstSeen(scrolledTo(ofHundred, 2, rows) ?? emptyLog)).toBe(1);
  expect(scrolledTo(ofHundred, 101, rows)).toBeNull();
});

test('the search for the next match wraps around', () => {
  const found = [3, 5, 9];
  expect(nextFound(found, 3, 1)).toBe(5);
  expect(nextFound(found, 9, 1)).toBe(3);
  expect(nextFound(found, 3, -1)).toBe(9);
  expect(nextFound(found, 4, -1)).toBe(3);
  expect(nextFound(found, null, -1)).toBe(9);
  expect(nextFound([], 4, 1)).toBeNull();
});

test('a long line is cut, and a structured line shows all its members', () => {
  const line = { ...(lines(1, 1)[0] as HeldLine), stream: 'stdout', attempt: 1 } as const;
  expect(heldLine({ ...line, message: 'copied', fields: { files: 3 } })).toEqual({
    seq: 1,
    timestamp: line.timestamp,
    level: 'info',
    step_id: 'step_01',
    text: 'copied {"files":3}',
  });
  expect(heldLine({ ...line, message: 'é'.repeat(60_000) }).text).toBe(`${'é'.repeat(8_000)}…`);
});
