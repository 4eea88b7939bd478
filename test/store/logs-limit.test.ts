import { describe, expect, test } from 'vitest';
import { numberedLines, placesOf, printed, textOf } from './a-log.ts';
import { engines } from './engines.ts';
import { openLogFixture } from './log-fixture.ts';

const mebibyte = 2 ** 20;
const lineBytes = numberedLines(100_000, 100_000).length;

describe.each(engines)('a log past its limit on $engine', (engine) => {
  test('has its beginning, a line that says how much is missing, and its last MiB', async () => {
    const { openWriter, readAll } = await openLogFixture(engine);
    const writer = await openWriter(3 * mebibyte);
    let spoolEnd = 0;
    let readable = 0;
    for (let n = 0; n < 150; n++) {
      const text = numberedLines(n * 1000 + 1, (n + 1) * 1000);
      spoolEnd += text.length;
      const { firstSeq, count } = writer.append(printed(text, spoolEnd));
      if (count > 0) expect(firstSeq).toBe(readable + 1);
      readable += count;
    }
    const beforeClose = await readAll();
    expect(beforeClose.length).toBe(readable);
    expect(writer.note({ attempt: 1, stepId: 'step_01', message: 'bye' }).count).toBe(0);

    const appended = await writer.close();

    const lines = await readAll();
    expect(placesOf(lines.slice(0, readable))).toBe(placesOf(beforeClose));
    expect(appended).toEqual({ firstSeq: readable + 1, count: lines.length - readable });
    expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, index) => index + 1));
    expect(lines.map(({ timestamp }) => timestamp)).toEqual(lines.map(({ timestamp }) => timestamp).toSorted());
    const markAt = lines.findIndex(({ message }) => message.startsWith('…'));
    expect(markAt).toBe(readable);
    expect(lines[markAt]).toMatchObject({ level: 'warn', step_id: 'step_01', attempt: 1 });
    const omitted = 150_000 - (lines.length - 2);
    expect(lines[markAt]?.message).toMatch(new RegExp(`^… ${omitted} lines \\(\\d MB\\) left out`));
    const beginning = textOf(lines.slice(0, markAt));
    expect(beginning).toBe(numberedLines(1, markAt));
    expect(beginning.length).toBeGreaterThanOrEqual(2 * mebibyte);
    expect(lines.at(-1)?.message).toBe('bye');
    const end = textOf(lines.slice(markAt + 1, -1));
    expect(end).toBe(numberedLines(150_001 - (lines.length - markAt - 2), 150_000));
    expect(end.length).toBeGreaterThanOrEqual(mebibyte - lineBytes);
    expect(beginning.length + end.length).toBeLessThan(3 * mebibyte + 2 * 65_536);

    // The log says it once, because a later writer has left out nothing itself.
    await (await openWriter(3 * mebibyte)).close();
    expect((await readAll()).length).toBe(lines.length);
  });

  test('has its beginning and its last 256 KiB when a full disk has no room for more', async () => {
    const { openWriter, messages } = await openLogFixture(engine);
    const writer = await openWriter(100 * mebibyte);
    const first = numberedLines(1, 1000);
    const rest = numberedLines(1001, 50_000);
    writer.append(printed(first, first.length));

    writer.keepOnlyEnd();
    expect(writer.append(printed(rest, first.length + rest.length)).count).toBe(0);
    await writer.close();

    const stored = await messages();
    expect(stored.slice(0, 1000).join('\n')).toBe(first.trimEnd());
    expect(stored[1000]).toMatch(/^… \d+ lines \(\d MB\) left out: the disk was full …$/);
    const end = stored.slice(1001).join('\n');
    expect(rest.trimEnd().endsWith(end)).toBe(true);
    expect(end.length).toBeGreaterThanOrEqual(256 * 1024 - lineBytes);
    expect(end.length).toBeLessThan(256 * 1024 + 65_536);
  });

  test('is complete if it only just fits', async () => {
    const { openWriter, text } = await openLogFixture(engine);
    const spool = numberedLines(1, 5000);
    const writer = await openWriter(spool.length);

    writer.append(printed(spool, spool.length));
    await writer.close();

    expect(await text()).toBe(spool);
  });

  test('is cut to a small limit, even if all of it was printed at once', async () => {
    const { openWriter, messages } = await openLogFixture(engine);
    const text = numberedLines(1, 50_000);
    const writer = await openWriter(65_536);

    writer.append(printed(text, text.length));
    await writer.close();

    const stored = await messages();
    expect(stored.join('\n').length).toBeLessThan(65_536 + 2 * 8192);
    expect(stored[0]).toMatch(/^line 1 /);
    expect(stored.at(-1)).toMatch(/^line 50000 /);
    const mark = stored.find((message) => message.startsWith('…'));
    expect(mark).toContain(`… ${50_000 - (stored.length - 1)} lines (2 MB) left out`);
  });

  test('loses nothing of its end in a crash, and still knows how much was left out', async () => {
    const log = await openLogFixture(engine);
    const texts = Array.from({ length: 320 }, (_, n) => numberedLines(n * 1000 + 1, (n + 1) * 1000));
    const spool = texts.join('');
    let writer = await log.openWriter(3 * mebibyte);
    let spoolEnd = 0;
    for (const text of texts.slice(0, 300)) {
      spoolEnd += text.length;
      writer.append(printed(text, spoolEnd));
    }
    const read = await log.readAll();
    const notReadAgain = writer.spoolOffset({ stepId: 'step_01', attempt: 1 });

    await log.restart();
    writer = await log.openWriter(3 * mebibyte);
    expect(placesOf(await log.readAll())).toBe(placesOf(read));
    const offset = writer.spoolOffset({ stepId: 'step_01', attempt: 1 });
    expect(offset).toBe(notReadAgain);
    // Only the lines that were held back, and little more, have to be read again.
    expect(spoolEnd - offset).toBeGreaterThan(mebibyte);
    expect(spoolEnd - offset).toBeLessThan(6 * mebibyte);
    for (let at = offset; at < spool.length; ) {
      const next = Math.min(spool.length, spool.indexOf('\n', at + 50_000) + 1 || spool.length);
      writer.append(printed(spool.slice(at, next), next));
      at = next;
    }
    await writer.close();

    const lines = await log.readAll();
    const markAt = lines.findIndex(({ message }) => message.startsWith('…'));
    expect(lines[markAt]?.message).toContain(`… ${320_000 - (lines.length - 1)} lines `);
    expect(textOf(lines.slice(0, markAt))).toBe(numberedLines(1, markAt));
    const endCount = lines.length - markAt - 1;
    expect(textOf(lines.slice(markAt + 1))).toBe(numberedLines(320_001 - endCount, 320_000));
  });
});
