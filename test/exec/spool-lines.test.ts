import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRedactor } from '../../src/exec/redact/redact.ts';
import { createSpoolLines, type SpoolLines } from '../../src/exec/spool/spool-lines.ts';

const secret = 'correct-horse-battery-staple-4711';
const mib = 2 ** 20;
const mark = '\x1e';
const markedErrors = new RegExp(`${mark}E.*\n`, 'g');
const marked = new RegExp(`${mark}[EiPw].*\n`, 'g');

function linesOf(pieces: readonly string[], secrets: readonly string[] = [secret]): string {
  const lines = createSpoolLines(createRedactor(secrets));
  return Buffer.concat([...pieces.map((piece) => push(lines, piece)), lines.flush()]).toString();
}

/** Copies the result, because it may be a part of the given buffer. */
function push(lines: SpoolLines, bytes: string | Buffer): Buffer {
  return Buffer.from(lines.push(Buffer.from(bytes)));
}

describe('a line that a script writes in pieces', () => {
  test.each([
    ['stderr cuts into it', 'token correct-horse-\x1eEwarning\nbattery-staple-4711 end\n'],
    ['stderr cuts into it twice', 'token correct-\x1eEwarning\n\x1eEx\nhorse-battery\x1eEy\n-staple-4711 end\n'],
    ['a helper cuts into it', 'token correct-horse-\x1eP40 copying\nbattery-staple-\x1ewcareful\n4711 end\n'],
    [
      'stderr cuts into the helper that cuts into it',
      'token correct\x1eifoo\x1eEwarning\nbar\n-horse-battery-staple-4711\n',
    ],
  ])('is returned whole and redacted when %s', (_, spool) => {
    for (const pieces of [[spool], spool.split(/(?<=\n)/), spool.split(new RegExp(`(?=[${mark}-])`))]) {
      const all = linesOf(pieces).split('\n');
      expect(all.find((line) => line.startsWith('token'))).toMatch(/^token \[redacted\]( end)?$/);
      for (const line of spool.match(new RegExp(`${mark}[EPw].*(?=\n)`, 'g')) ?? []) expect(all).toContain(line);
    }
  });

  test('remains a line of the helper that began it, even if stderr writes meanwhile', () => {
    const spool = `\x1eia long message with correct-horse-\x1eEwarning\nbattery-staple-4711\nplain\n`;
    expect(linesOf([spool])).toBe('\x1eEwarning\n\x1eia long message with [redacted]\nplain\n');
  });

  test('is returned as it is at the end of the output, on a line of its own', () => {
    expect(linesOf(['so far \x1eEwarning\ncorrect-horse-\x1eEunfinished'])).toBe(
      '\x1eEwarning\nso far correct-horse-\n\x1eEunfinished',
    );
  });
});

test('whole lines are returned unchanged and uncopied', () => {
  const lines = createSpoolLines(createRedactor([]));
  const bytes = Buffer.from('one\n\x1eEtwo\n\x1eithree\nfour\n');
  expect(lines.push(bytes)).toBe(bytes);
  expect(lines).toMatchObject({ heldBytes: 0, aheadBytes: 0 });
});

describe('a line that does not end', () => {
  test('is returned in pieces of 64 KiB, whatever interrupts it, and little of it is held back', () => {
    const lines = createSpoolLines(createRedactor([secret]));
    const given: Buffer[] = [];
    for (let n = 0; n < 100; n++) {
      given.push(push(lines, `${'x'.repeat(10_000)}\x1eEwarning ${n}\n`));
      expect(lines.heldBytes).toBeLessThan(70_000);
    }
    given.push(push(lines, `${secret.slice(0, 20)}\x1eEone more\n${secret.slice(20)}\n`));
    const text = Buffer.concat(given).toString();
    expect(text.match(markedErrors)).toHaveLength(101);
    expect(text.replaceAll(markedErrors, '')).toBe(`${'x'.repeat(1_000_000)}[redacted]\n`);
  });

  test('is held back for up to 16 MiB of the other stream, and reveals no secret afterwards', () => {
    const lines = createSpoolLines(createRedactor([secret]));
    push(lines, `working … ${secret.slice(0, 20)}\x1eEwarning\n`);
    const other = `\x1eE${'y'.repeat(1021)}\n`.repeat(1024);
    const given: Buffer[] = [];
    for (let n = 0; n < 20; n++) {
      given.push(push(lines, other));
      expect(lines.heldBytes).toBeLessThan(18 * mib);
    }
    given.push(push(lines, `${secret.slice(20)} over\n`));
    const text = Buffer.concat(given).toString();
    expect(text.replaceAll(markedErrors, '')).toBe('working … [redacted] over\n');
    expect(lines.heldBytes).toBe(0);
  });
});

const word = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'é', ' '), maxLength: 12 }),
  fc.nat({ max: secret.length }).map((end) => secret.slice(0, end)),
  fc.nat({ max: secret.length }).map((start) => secret.slice(start)),
  fc.constantFrom(secret, 'z'.repeat(40_000)),
);
/** What the script writes to stdout, what a helper reports, and what the shim writes for stderr. */
const write = fc.oneof(
  fc.record({
    kind: fc.constant('plain'),
    text: fc.tuple(word, fc.constantFrom('', '', '\n')).map((of) => of.join('')),
  }),
  fc.record({ kind: fc.constant('reported'), text: word.map((text) => `\x1ei${text}\n`) }),
  fc.record({ kind: fc.constant('errors'), text: fc.tuple(word, word).map(([a, b]) => `\x1eE${a}${b}\n`) }),
);
const scene = fc
  .record({
    writes: fc.array(write, { maxLength: 14 }),
    cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }),
    otherCuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }),
  })
  .map(({ writes, cuts, otherCuts }) => {
    const bytes = Buffer.from(writes.map(({ text }) => text).join(''));
    return { writes, bytes, pieces: cut(bytes, cuts), otherCuts };
  });

/** Cuts after a newline, or where a reader of the spool cuts a long line: never within a mark or a character. */
function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = cuts
    .map((part) => Math.floor(part * bytes.length))
    .filter((at) => at > 0 && bytes[at - 1] !== 0x1e && ((bytes[at] ?? 0) & 0xc0) !== 0x80)
    .toSorted((a, b) => a - b);
  return [...places, bytes.length].map((place, i) => bytes.subarray(places[i - 1] ?? 0, place));
}

describe('whatever is written, and in whatever pieces it is read', () => {
  test('the text of each writer stays together and is redacted', () => {
    fc.assert(
      fc.property(scene, ({ writes, pieces }) => {
        const redactor = createRedactor([secret]);
        const lines = createSpoolLines(redactor);
        const given = Buffer.concat([...pieces.map((piece) => push(lines, piece)), lines.flush()]).toString();
        for (const [kind, start] of [
          ['errors', '\x1eE'],
          ['reported', '\x1ei'],
        ] as const) {
          const expected = writes.filter((of) => of.kind === kind).map(({ text }) => redactor.text(text));
          expect(given.match(new RegExp(`${start}.*\n`, 'g')) ?? []).toEqual(expected);
        }
        const plain = writes.filter(({ kind }) => kind === 'plain').map(({ text }) => text);
        const expected = plain
          .join('')
          .split(/(?<=\n)/)
          .map((line) => redactor.text(line));
        expect(given.replaceAll(marked, '')).toBe(expected.join(''));
      }),
      { numRuns: 300 },
    );
  });

  test('reading from a reported place returns the rest, each line once', () => {
    fc.assert(
      fc.property(scene, ({ bytes, pieces, otherCuts }) => {
        const redactor = createRedactor([secret]);
        const whole = createSpoolLines(redactor);
        const first = createSpoolLines(redactor);
        const half = Math.ceil(pieces.length / 2);
        const before = Buffer.concat(pieces.slice(0, half).map((piece) => push(first, piece)));
        const readBytes = pieces.slice(0, half).reduce((sum, piece) => sum + piece.length, 0);
        const second = createSpoolLines(redactor);
        const rest = cut(bytes.subarray(readBytes - first.heldBytes), otherCuts);
        const after = Buffer.concat([...rest.map((piece) => push(second, piece)), second.flush()]);
        const given = Buffer.concat([before, after.subarray(first.aheadBytes)]).toString();
        const expected = Buffer.concat([push(whole, bytes), whole.flush()]).toString();
        // The replacement of a secret that was cut may appear twice.
        expect(given.replaceAll('[redacted][redacted]', '[redacted]')).toBe(
          expected.replaceAll('[redacted][redacted]', '[redacted]'),
        );
      }),
      { numRuns: 500 },
    );
  });
});
