// Log files that cannot be read. The lines around them can still be read, and the log can be continued.

import { readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type ChunkHead, textStartOf, writeHead } from '../../src/store/log/log-chunk.ts';
import { numberedLines, printed, runId } from './a-log.ts';
import { engines, nowMs } from './engines.ts';
import { type LogFixture, openLogFixture } from './log-fixture.ts';

const mark = /^… lines? .* of this log cannot be read: the file logs\/ZZ\/.*\.(raw|zst) is (damaged|missing) …$/;

/** Two indexed segments: lines 1 to 2, and lines 3 to 4. */
async function printTwoSegments(log: LogFixture): Promise<void> {
  for (const [text, spoolEnd] of [
    ['a\nb\n', 4],
    ['c\nd\n', 8],
  ] as const) {
    const writer = await log.openWriter();
    writer.append(printed(text, spoolEnd));
    await writer.close();
  }
}

describe.each(engines)('a log on $engine with a file that cannot be read', (engine) => {
  test('shows a placeholder, whatever lines are requested', async () => {
    const log = await openLogFixture(engine);
    await printTwoSegments(log);
    truncateSync(join(log.shard, `${runId}.1.raw`), 10);
    const filters = [{ stepId: 'step_01' }, { attempt: 2 }, { level: 'error' }, { text: 'in none' }] as const;
    for (const filter of filters) {
      const { lines } = await log.store().page(runId, { limit: 10, ...filter });
      expect([filter, lines[0]]).toEqual([filter, expect.objectContaining({ message: expect.stringMatching(mark) })]);
      const last = await log.store().page(runId, { limit: 10, tail: 3, ...filter });
      expect(last.lines[0]?.message).toMatch(mark);
    }
    expect((await log.store().page(runId, { limit: 10, afterSeq: 2, text: 'in none' })).lines).toEqual([]);
  });

  test('shows a placeholder for a file on a bad sector', async () => {
    const log = await openLogFixture(engine);
    await printTwoSegments(log);
    const path = join(log.shard, `${runId}.2.raw`);
    rmSync(path);
    // Reading this file from its beginning fails with EIO.
    symlinkSync('/proc/self/mem', path);
    await expect.poll(() => log.messages()).toEqual(['a', 'b', expect.stringMatching(mark)]);
  });

  test.each(['damaged', 'missing', 'unreadable'])('can be continued when its last file is %s', async (how) => {
    const log = await openLogFixture(engine);
    await printTwoSegments(log);
    const path = join(log.shard, `${runId}.2.raw`);
    if (how === 'damaged') truncateSync(path, 10);
    else rmSync(path);
    if (how === 'unreadable') symlinkSync('/proc/self/mem', path);
    await log.restart();

    const writer = await log.openWriter();
    // The lines that the spool still has are read again.
    expect(writer.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(4);
    expect(writer.append(printed('c\nd\ne\n', 10))).toMatchObject({ firstSeq: 5, count: 3 });
    await writer.close();
    expect(await log.messages()).toEqual(['a', 'b', expect.stringMatching(mark), 'c', 'd', 'e']);
  });

  test('can be continued when no file can be read', async () => {
    const log = await openLogFixture(engine);
    const writer = await log.openWriter();
    writer.append(printed(numberedLines(1, 100), 5_000));
    await writer.close();
    rmSync(join(log.shard, `${runId}.1.raw`));
    await log.restart();
    const next = await log.openWriter();
    expect(next.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(0);
    expect(next.append(printed('last\n', 5_005))).toMatchObject({ firstSeq: 101 });
    await next.close();
    expect(await log.messages()).toEqual([expect.stringMatching(mark), 'last']);
  });
});

const gap = `… lines 3 to 4 of this log cannot be read: the file logs/ZZ/${runId}.1.raw was damaged …`;

/** A file without a row, of three chunks with two lines each, and where the chunks end. */
async function printThreeChunks(log: LogFixture): Promise<number[]> {
  const writer = await log.openWriter();
  const path = join(log.shard, `${runId}.1.raw`);
  const ends = ['a\nb\n', 'c\nd\n', 'e\nf\n'].map((text, n) => {
    writer.append(printed(text, 4 * (n + 1)));
    return statSync(path).size;
  });
  await log.restart();
  return ends;
}

/** A chunk with one line, which follows the lines 1 and 2. */
function forge(lie: Partial<ChunkHead>): Buffer {
  const head = {
    firstSeq: 3,
    lineCount: 1,
    firstAtUs: (nowMs + 1_000) * 1_000,
    highestLevel: 2,
    attempt: 1,
    stepId: 'step_01',
    spool: { offset: 8, aheadBytes: 0 },
    ...lie,
  };
  const text = textStartOf(0, head.stepId);
  const chunk = Buffer.alloc(text + 9);
  chunk.write('forged\n', text);
  chunk.set([2, 6], text + 7);
  writeHead(chunk, 0, chunk.length, 7, head);
  return chunk;
}

/** The same in three files, as if each chunk had filled a file. */
async function splitIntoFiles(log: LogFixture): Promise<void> {
  const ends = await printThreeChunks(log);
  const path = join(log.shard, `${runId}.1.raw`);
  const bytes = readFileSync(path);
  for (const [n, end] of ends.entries())
    writeFileSync(path.replace('.1.raw', `.${n + 1}.raw`), bytes.subarray(ends[n - 1] ?? 0, end));
}

describe.each(engines)('the log of a resumed run on $engine', (engine) => {
  test.each([
    ['text', 60, 12],
    // Without a head that says where the chunk ends, the bytes after it may be text that a script printed. So their
    // position in the spool is ignored.
    ['length', 10, 4],
    ['first byte', 0, 4],
  ])('keeps the lines after a chunk whose %s is damaged', async (_what, at, spoolOffset) => {
    const log = await openLogFixture(engine);
    const [first = 0] = await printThreeChunks(log);
    const path = join(log.shard, `${runId}.1.raw`);
    const bytes = readFileSync(path);
    bytes[first + at] = (bytes[first + at] ?? 0) ^ 0x55;
    writeFileSync(path, bytes);
    const readable = ['a', 'b', gap, 'e', 'f'];
    expect(await log.messages()).toEqual(readable);

    const writer = await log.openWriter();
    expect(readFileSync(`${path}.damaged`)).toEqual(bytes);
    expect(writer.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(spoolOffset);
    expect(writer.append(printed('g\n', 14))).toMatchObject({ firstSeq: 7, count: 1 });
    expect(await log.messages()).toEqual([...readable, 'g']);
    await writer.close();
    await log.restart();
    expect((await log.readAll()).map(({ seq, message }) => [seq, message])).toEqual([
      [1, 'a'],
      [2, 'b'],
      [4, gap],
      [5, 'e'],
      [6, 'f'],
      [7, 'g'],
    ]);
  });

  test('never takes text that a script has printed for a chunk', async () => {
    const log = await openLogFixture(engine);
    await printThreeChunks(log);
    const path = join(log.shard, `${runId}.1.raw`);
    const forged = readFileSync(path);
    rmSync(path);
    await log.restart();
    const writer = await log.openWriter();
    writer.append(printed('a\nb\n', 4));
    const start = statSync(path).size;
    writer.append(printed(Buffer.concat([Buffer.from('x'), forged, Buffer.from('\n')]), 500));
    writer.append(printed('last\n', 505));
    await log.restart();
    const bytes = readFileSync(path);
    bytes[start + 53] = 0;
    writeFileSync(path, bytes);
    expect(await log.messages()).toEqual([
      'a',
      'b',
      expect.stringMatching(/ cannot be read: .* was damaged …$/),
      'last',
    ]);
  });

  test('drops a chunk that was cut off, whatever its text looks like', async () => {
    const log = await openLogFixture(engine);
    const writer = await log.openWriter();
    writer.append(printed('a\nb\n', 4));
    writer.append(printed(forge({}), 500));
    await log.restart();
    const path = join(log.shard, `${runId}.1.raw`);
    truncateSync(path, statSync(path).size - 1);
    expect(await log.messages()).toEqual(['a', 'b']);
    const next = await log.openWriter();
    expect(next.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(4);
    next.append(printed('c\n', 6));
    expect(await log.messages()).toEqual(['a', 'b', 'c']);
  });

  test.each([
    ['too many lines', { lineCount: 4_294_967_295 }, false],
    ['lines that are not in its text', { lineCount: 2 }, false],
    ['no time', { firstAtUs: Number.NaN }, false],
    ['a time that no date has', { firstAtUs: 1e300 }, false],
    ['an earlier time', { firstAtUs: 1 }, false],
    ['the engine for its author', { stepId: '' }, false],
    ['a far place in the spool', { spool: { offset: 1e12, aheadBytes: 7 } }, true],
  ])(
    'after a damaged head, is not misled by a chunk with %s that a script has printed',
    async (_what, lie, isTaken) => {
      const log = await openLogFixture(engine);
      const writer = await log.openWriter();
      const path = join(log.shard, `${runId}.1.raw`);
      writer.append(printed('a\nb\n', 4));
      const start = statSync(path).size;
      const liar = forge(lie);
      const chained = forge({ ...lie, firstSeq: 4 });
      writer.append(printed(Buffer.concat([Buffer.from('x'), liar, chained, Buffer.from('\n')]), 500));
      writer.append(printed('last\n', 505));
      await log.restart();
      const bytes = readFileSync(path);
      bytes[start] = 0;
      writeFileSync(path, bytes);
      const damage = expect.stringMatching(/ cannot be read: .* was damaged …$/);
      const forged = isTaken ? ['forged', 'forged'] : [];
      const readable = ['a', 'b', ...forged, damage, 'last'];
      expect(await log.messages()).toEqual(readable);
      for (let n = 0; n < 2; n++) {
        const next = await log.openWriter();
        expect(next.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(4);
        expect(await log.messages()).toEqual(readable);
        await log.restart();
      }
    },
  );

  test.each(['damaged', 'missing', 'unreadable'])(
    'can be continued when a file before its last one is %s',
    async (how) => {
      const log = await openLogFixture(engine);
      await splitIntoFiles(log);
      const path = join(log.shard, `${runId}.2.raw`);
      if (how === 'damaged') truncateSync(path, 10);
      else rmSync(path);
      if (how === 'unreadable') symlinkSync('/proc/self/mem', path);
      const kept = how === 'missing' ? [] : [`${runId}.2.raw.damaged`];
      const readable = ['a', 'b', expect.stringMatching(/^… lines? .* was damaged …$/), 'e', 'f'];
      await expect.poll(() => log.messages()).toEqual(readable);

      const writer = await log.openWriter();
      expect(writer.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(12);
      writer.append(printed('g\n', 14));
      await writer.close();
      expect(await log.messages()).toEqual([...readable, 'g']);
      expect(log.files().filter((name) => name.includes('.2.raw.'))).toEqual(kept);
    },
  );

  test('keeps a copy of a file each time it is found damaged', async () => {
    const log = await openLogFixture(engine);
    await printThreeChunks(log);
    const path = join(log.shard, `${runId}.1.raw`);
    for (const kept of [`${path}.damaged`, `${path}.damaged2`]) {
      const bytes = readFileSync(path);
      bytes[bytes.indexOf('step_01')] = 0;
      writeFileSync(path, bytes);
      await log.openWriter();
      expect(readFileSync(kept)).toEqual(bytes);
      await log.restart();
    }
  });

  test('states from which line on its last file cannot be read, and continues with the lines of the spool', async () => {
    const log = await openLogFixture(engine);
    await splitIntoFiles(log);
    const path = join(log.shard, `${runId}.3.raw`);
    rmSync(path);
    // Reading this file from its beginning fails with EIO.
    symlinkSync('/proc/self/mem', path);
    expect(await log.messages()).toEqual(['a', 'b', 'c', 'd', expect.stringMatching(mark)]);

    const writer = await log.openWriter();
    expect(writer.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(8);
    writer.append(printed('e\nf\ng\n', 14));
    await writer.close();
    const said = `… the lines from 5 on cannot be read: the file logs/ZZ/${runId}.3.raw was damaged …`;
    expect(await log.messages()).toEqual(['a', 'b', 'c', 'd', said, 'e', 'f', 'g']);
  });

  test('loses no more than the bytes that the disk changes while the log is written', async () => {
    const log = await openLogFixture(engine);
    const writer = await log.openWriter();
    writer.append(printed('a\nb\n', 4));
    const path = join(log.shard, `${runId}.1.raw`);
    const start = statSync(path).size;
    writer.append(printed('c\nd\n', 8));
    writer.append(printed(numberedLines(1, 1_000), 50_000));
    const bytes = readFileSync(path);
    bytes[start + 60] = 0;
    writeFileSync(path, bytes);
    const lines = ['a', 'b', gap, ...numberedLines(1, 1_000).split('\n').slice(0, -1)];
    expect(await log.messages()).toEqual(lines);
    await writer.close();
    await log.restart();
    expect(await log.messages()).toEqual(lines);
  });
});

/**
 * Answers like the kernel for a bad block in a file: a short read before the block, then EIO. A test cannot make a real
 * one.
 */
async function failBlock(blockAt: number, times = Number.POSITIVE_INFINITY): Promise<void> {
  let left = times;
  await using file = await open(import.meta.filename);
  const handles: FileHandle = Object.getPrototypeOf(file);
  const read = vi.spyOn(handles, 'read');
  onTestFinished(() => read.mockRestore());
  function failing(this: FileHandle, ...asked: unknown[]): ReturnType<FileHandle['read']> {
    const [buffer, offset, length, position] = asked;
    const at = Number(position);
    const isBad = left > 0 && at >= blockAt && at < blockAt + 4096;
    if (isBad) left -= 1;
    const error = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', errno: -5, syscall: 'read' });
    const most = at < blockAt ? Math.min(Number(length), blockAt - at) : Number(length);
    const result = isBad
      ? Promise.reject(error)
      : this.read(Buffer.isBuffer(buffer) ? buffer : Buffer.alloc(0), Number(offset), most, at);
    read.mockImplementationOnce(failing);
    return result;
  }
  read.mockImplementationOnce(failing);
}

test('a bad block in a file costs its lines, and the lines around it can be read', async () => {
  const [engine] = engines;
  if (!engine) return;
  const log = await openLogFixture(engine);
  const writer = await log.openWriter();
  for (let n = 0; n < 100; n++) writer.append(printed(numberedLines(n * 10 + 1, n * 10 + 10), (n + 1) * 1_000));
  const all = await log.messages();
  await log.restart();
  await failBlock(8192);
  const before = await log.readAll();
  const at = before.findIndex(({ step_id: stepId }) => stepId === '');
  const last = before[at]?.seq ?? 0;
  expect(before[at]?.message).toBe(
    `… lines ${at + 1} to ${last} of this log cannot be read: the file logs/ZZ/${runId}.1.raw was damaged …`,
  );
  expect(last - at).toBeLessThan(150);
  expect(before.map(({ message }) => message)).toEqual([...all.slice(0, at), before[at]?.message, ...all.slice(last)]);
  const next = await log.openWriter();
  expect(next.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(19_000);
});

test('a disk error that passes costs a log nothing', async () => {
  const [engine] = engines;
  if (!engine) return;
  const log = await openLogFixture(engine, undefined, 60_000);
  const writer = await log.openWriter();
  for (let n = 0; n < 100; n++) writer.append(printed(numberedLines(n * 10 + 1, n * 10 + 10), (n + 1) * 1_000));
  const all = await log.messages();
  await log.restart();
  const before = log.files();
  await failBlock(8192, 3);
  const next = await log.openWriter();
  expect(next.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(100_000);
  expect([await log.messages(), log.files()]).toEqual([all, before]);
});
