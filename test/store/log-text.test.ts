// How a text is found in the bytes of a log.

import { assert, constantFrom, integer, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { createTextCheck, createTextFinder } from '../../src/store/log/log-text.ts';

const letters = constantFrom('a', 'A', 'b', 'B', '@', '[', 'é', 'É');

/** Finds the text with JavaScript, byte by byte, and treats A to Z like a to z. */
function placeIn(bytes: Buffer, text: string, from: number, to: number): number {
  const lower = (each: Buffer): string => each.toString('latin1').replaceAll(/[A-Z]/g, (one) => one.toLowerCase());
  return Buffer.from(lower(bytes.subarray(0, to)), 'latin1').indexOf(lower(Buffer.from(text)), from, 'latin1');
}

test('the first occurrence of a text is found within any part of a log', () => {
  assert(
    property(
      string({ unit: letters, maxLength: 5_000, size: 'max' }),
      string({ unit: letters, minLength: 1, maxLength: 12 }),
      integer({ min: 0, max: 100 }),
      integer({ min: 0, max: 100 }),
      (log, text, before, behind) => {
        const bytes = Buffer.from(log);
        const to = Math.max(0, bytes.length - behind);
        const from = Math.min(before, to);
        const expected = placeIn(bytes, text, from, to);
        expect(createTextFinder(text)(bytes, from, to)).toBe(expected);
        if (expected >= 0) expect(createTextCheck(text)(bytes, from, to)).toBe(true);
      },
    ),
  );
});

test('a text is found wherever it is in a large log', () => {
  const find = createTextFinder('DISK FULL ü');
  const bytes = Buffer.alloc(10_000, 'Lorem ipsum dolor sit amet\n');
  for (let place = 0; place <= bytes.length - 12; place++) {
    const before = Buffer.from(bytes.subarray(place, place + 12));
    bytes.write('Disk full ü', place);
    const found = find(bytes, 0, bytes.length);
    if (found !== place) expect.fail(`at ${place} it was found at ${found}`);
    before.copy(bytes, place);
  }
  expect(find(bytes, 0, bytes.length)).toBe(-1);
  bytes.write('Disk full Ü', 5_000);
  expect(find(bytes, 0, bytes.length)).toBe(-1);
});

test('a text of more than 255 bytes is found', () => {
  const text = 'between '.repeat(100);
  expect(createTextFinder(text)(Buffer.from(`${'.'.repeat(3_333)}${text}`), 0, 10_000)).toBe(3_333);
});

test('a text that almost matches everywhere takes only a few looks at each byte', () => {
  const half = 'a'.repeat(500);
  const bytes = Buffer.alloc(65_536, 'a');
  let looks = 0;
  const watched = new Proxy(bytes, {
    get(target, place) {
      looks += 1;
      return target[Number(place)];
    },
  });
  const find = createTextFinder(`${half}b${half}`);
  expect(find(watched, 0, bytes.length)).toBe(-1);
  expect(looks).toBeLessThan(4 * bytes.length);
  bytes.write('b', bytes.length - 501);
  expect(find(bytes, 0, bytes.length)).toBe(bytes.length - 1_001);
});
