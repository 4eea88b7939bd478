import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { followSpool, type SpoolFollower, type SpoolJump } from '../../src/exec/spool/spool.ts';
import { expectWithin } from '../support/goes.ts';
import { testWith } from '../support/host.ts';
import { takeLease } from '../support/lease.ts';

let dir: string;
let path: string;
let pieces: { text: string; endOffset: number }[];
let jumps: SpoolJump[];
let follower: SpoolFollower | undefined;
const text = () => pieces.map((piece) => piece.text).join('');

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flwd-spool-'));
  path = join(dir, 'spool');
  pieces = [];
  jumps = [];
  follower = undefined;
});
afterEach(() => {
  follower?.close();
  rmSync(dir, { recursive: true });
});

function follow(offset = 0): SpoolFollower {
  follower = followSpool({
    path,
    offset,
    onBytes: (bytes, endOffset) => void pieces.push({ text: bytes.toString('latin1'), endOffset }),
    onJump: (jump) => void jumps.push(jump),
  });
  return follower;
}

describe('a spool on which the script took a lease', () => {
  testWith('python3')('delays only its own reader, and nothing of it is lost', async () => {
    writeFileSync(path, 'one\ntwo');
    const lease = await takeLease(path);
    const startedAt = performance.now();
    const drained = follow().drain();
    await setTimeout(100);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(pieces).toEqual([]);
    await lease.end();
    await drained;
    expect(text()).toBe('one\ntwo');
  });
});

describe('a spool that is being written', () => {
  test('is passed on in whole lines, each with the offset of its end', async () => {
    writeFileSync(path, 'one\ntw');
    follow();
    await expect.poll(() => pieces).toEqual([{ text: 'one\n', endOffset: 4 }]);
    appendFileSync(path, 'o\nthree\nfo');
    await expect.poll(() => pieces[1]).toEqual({ text: 'two\nthree\n', endOffset: 14 });
  });

  test('may be created after its reader has started', async () => {
    follow();
    writeFileSync(path, 'late\n');
    await expect.poll(text).toBe('late\n');
  });

  test('is passed on without delay when a job prints now and then', async () => {
    let delaysMs: number[] = [];
    let wroteAt = 0;
    follower = followSpool({ path, offset: 0, onBytes: () => void delaysMs.push(performance.now() - wroteAt) });
    async function medianMs(): Promise<number> {
      delaysMs = [];
      for (let n = 1; n <= 9; n++) {
        await setTimeout(20);
        wroteAt = performance.now();
        appendFileSync(path, 'line\n');
        await expect.poll(() => delaysMs, { interval: 1 }).toHaveLength(n);
      }
      return delaysMs.toSorted((a, b) => a - b)[4] ?? Number.POSITIVE_INFINITY;
    }
    // Without the watch, the reader would look only every 250 ms.
    await expectWithin(150, medianMs);
  });

  test('can be read from an offset', async () => {
    writeFileSync(path, 'stored\nnew\n');
    await follow(7).drain();
    expect(pieces).toEqual([{ text: 'new\n', endOffset: 11 }]);
  });

  test('waits while its reader is busy, and overwrites no buffer that the reader still uses', async () => {
    const lines = Array.from({ length: 200_000 }, (_, n) => `line ${n}\n`).join('');
    writeFileSync(path, lines);
    let isBusy = false;
    const kept: string[] = [];
    follower = followSpool({
      path,
      offset: 0,
      async onBytes(bytes) {
        expect(isBusy).toBe(false);
        isBusy = true;
        await new Promise(setImmediate);
        kept.push(bytes.toString());
        isBusy = false;
      },
    });
    await follower.drain();
    expect(kept.length).toBeGreaterThan(2);
    expect(kept.join('') === lines).toBe(true);
  });

  test('is read as fast as a job writes line after line', async () => {
    const lines = 100_000;
    const spool = follow();
    const script = `i=0; while [ $i -lt ${lines} ]; do echo "line $i"; i=$((i+1)); done >> "$0"`;
    await once(spawn('sh', ['-c', script, path]), 'exit');
    await spool.drain();
    expect(text() === readFileSync(path, 'latin1')).toBe(true);
  });
});

describe('the end of a job', () => {
  test('completes a last line without a newline', async () => {
    writeFileSync(path, 'one\nlast');
    await follow().drain();
    expect(text()).toBe('one\nlast');
  });

  test('leaves nothing to read if the job never wrote', async () => {
    await follow().drain();
    expect(pieces).toEqual([]);
  });

  test('comes after everything that was written before it', async () => {
    for (let n = 0; n < 50; n++) {
      const spool = follow();
      appendFileSync(path, `${n}\n`);
      await spool.drain();
      expect(text().endsWith(`${n}\n`)).toBe(true);
      rmSync(path);
    }
  });
});

describe('a line without end', () => {
  test('is passed on in pieces that split no character, and no mark from the letter after it', async () => {
    const line = `${'€'.repeat(700_000)}${'\u001eEx'.repeat(400_000)}`;
    writeFileSync(path, line);
    await follow().drain();
    expect(text() === Buffer.from(line).toString('latin1')).toBe(true);
    expect(pieces.length).toBeGreaterThan(3);
    for (const piece of pieces) {
      expect(Buffer.from(piece.text, 'latin1').toString().includes('\ufffd')).toBe(false);
      expect(piece.text.endsWith('\u001e')).toBe(false);
    }
  });

  test('is not waited for', async () => {
    writeFileSync(path, 'x'.repeat(100_000));
    follow();
    await expect.poll(() => text().length).toBe(100_000);
  });
});

test('all bytes are passed on unchanged, wherever writes begin and end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.uint8Array({ maxLength: 40 }),
          fc.constant(Uint8Array.of(10)),
          fc.nat(200_000).map((size) => randomBytes(size)),
        ),
        { maxLength: 8 },
      ),
      async (writes) => {
        rmSync(path, { force: true });
        pieces = [];
        const spool = follow();
        for (const bytes of writes) {
          appendFileSync(path, bytes);
          await new Promise(setImmediate);
        }
        await spool.drain();
        const whole = Buffer.concat(writes);
        expect(text() === whole.toString('latin1')).toBe(true);
        expect(pieces.at(-1)?.endOffset ?? 0).toBe(whole.length);
      },
    ),
    { numRuns: 40 },
  );
});

describe('a job that tampers with its output', () => {
  test('by truncating it is followed from the new end, and the jump is reported', async () => {
    writeFileSync(path, 'before\npart');
    const spool = follow();
    await expect.poll(text).toBe('before\n');
    truncateSync(path, 3);
    await expect.poll(() => jumps).toEqual([{ cause: 'truncated', fromOffset: 11, toOffset: 3 }]);
    appendFileSync(path, 'after\n');
    await spool.drain();
    expect(text()).toBe('before\npartafter\n');
    expect(pieces.at(-1)?.endOffset).toBe(9);
  });

  test('by extending it to a tebibyte does not keep its reader busy, and its output comes through', async () => {
    writeFileSync(path, 'before\n');
    truncateSync(path, 2 ** 40);
    appendFileSync(path, 'after\n');
    await follow().drain();
    expect(text().startsWith('before\n')).toBe(true);
    expect(text().endsWith('after\n')).toBe(true);
    expect(text().length).toBeLessThan(4 * 2 ** 20);
    expect(jumps).toEqual([{ cause: 'hole', fromOffset: expect.any(Number), toOffset: expect.any(Number) }]);
  });
});

test('once the follower is closed nothing is passed on, even during a read', async () => {
  writeFileSync(path, 'one\n');
  const spool = follow();
  spool.close();
  await spool.drain();
  expect(pieces).toEqual([]);
});

test('drain reports the error of a failing reader', async () => {
  writeFileSync(path, 'one\n');
  follower = followSpool({
    path,
    offset: 0,
    onBytes: () => Promise.reject(new Error('disk full')),
  });
  await expect(follower.drain()).rejects.toThrow('disk full');
});

test('stored blocks are returned to the file system, and the rest of the file stays', async () => {
  const line = `${'x'.repeat(1023)}\n`;
  writeFileSync(path, line.repeat(66 * 1024));
  const spool = follow();
  const before = statSync(path).blocks;
  spool.discard(1024 * 1024);
  spool.discard(65 * 1024 * 1024);
  await expect.poll(() => statSync(path).blocks).toBeLessThan(before / 20);
  expect(statSync(path).size).toBe(66 * 1024 * 1024);
  expect(readFileSync(path).subarray(-1024).toString()).toBe(line);
});
