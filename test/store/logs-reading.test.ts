import { describe, expect, test } from 'vitest';
import type { LogLine } from '../../src/domain/log-line.ts';
import type { LogWriter } from '../../src/store/log/logs.ts';
import { numberedLines, printed, runId } from './a-log.ts';
import { engines } from './engines.ts';
import { type LogFixture, openLogFixture } from './log-fixture.ts';

const seqs = (lines: readonly LogLine[]) => lines.map(({ seq }) => seq);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

/** 150,000 lines in segments of 4 MiB, the last of them still open. */
async function printMuch(log: LogFixture): Promise<LogWriter> {
  const writer = await log.openWriter();
  let spoolEnd = 0;
  for (let n = 0; n < 150; n++) {
    const text = numberedLines(n * 1000 + 1, (n + 1) * 1000);
    spoolEnd += text.length;
    log.clock.atMs += 10;
    writer.append(printed(text, spoolEnd));
  }
  await expect.poll(() => log.files()).toEqual([`${runId}.1.zst`, `${runId}.2.raw`]);
  return writer;
}

describe.each(engines)('a reader of a log on $engine', (engine) => {
  test('gets any page, and the end first, whether or not the run is finished', async () => {
    const log = await openLogFixture(engine);
    const writer = await printMuch(log);

    for (const state of ['growing', 'finished']) {
      if (state === 'finished') await writer.close();
      const page = (query: object) => log.store().page(runId, { limit: 1000, ...query });
      expect(await page({}).then(({ lines, nextSeq }) => [seqs(lines), nextSeq])).toEqual([range(1, 1000), 1000]);
      // The first segment ends between these two.
      const { lines } = await page({ afterSeq: 98_765, limit: 10_000 });
      expect(seqs(lines)).toEqual(range(98_766, 108_765));
      expect(lines[0]?.message).toMatch(/^line 98766 of the backup, /);
      const rest = await page({ afterSeq: 149_500 });
      expect(rest.nextSeq).toBeNull();
      expect(seqs(rest.lines)).toEqual(range(149_501, 150_000));
      expect(await page({ afterSeq: 149_000 })).toMatchObject({ nextSeq: null });
      expect(await page({ afterSeq: 150_000 })).toEqual({ lines: [], nextSeq: null });
      expect(seqs((await page({ tail: 100 })).lines)).toEqual(range(149_901, 150_000));
      expect(seqs((await page({ tail: 60_000 })).lines)).toEqual(range(90_001, 150_000));
      expect(seqs((await page({ tail: 100, beforeSeq: 98_766 })).lines)).toEqual(range(98_666, 98_765));
      expect(seqs((await page({ tail: 10, beforeSeq: 6 })).lines)).toEqual(range(1, 5));
      expect(seqs((await page({ tail: 10, beforeSeq: 900_000 })).lines)).toEqual(range(149_991, 150_000));
      expect(await page({ tail: 10, beforeSeq: 1 })).toEqual({ lines: [], nextSeq: null });
      expect(await page({ afterSeq: 98_700, beforeSeq: 98_703 }).then((one) => [seqs(one.lines), one.nextSeq])).toEqual(
        [[98_701, 98_702], null],
      );
      expect(seqs(await log.store().lines(runId, 98_000, 3000))).toEqual(range(98_000, 100_999));
      expect(seqs(await log.store().lines(runId, 149_999, 10))).toEqual([149_999, 150_000]);
    }
  });

  test('finds text in upper and lower case, and the last lines that contain it', async () => {
    const log = await openLogFixture(engine);
    await printMuch(log);
    const search = async (query: object) => seqs((await log.store().page(runId, { limit: 1000, ...query })).lines);

    expect(await search({ text: 'LINE 14999' })).toEqual([14_999, ...range(149_990, 149_999)]);
    expect(await search({ text: 'line 14999', tail: 2 })).toEqual([149_998, 149_999]);
    expect(await search({ text: 'of the backup\nline' })).toEqual([]);
    expect(await search({ text: 'the backup', afterSeq: 149_998 })).toEqual([149_999, 150_000]);
    expect(await search({ text: 'restore' })).toEqual([]);
  });

  test('finds letters beyond ASCII only in the case in which they are written, in lines of any form', async () => {
    const log = await openLogFixture(engine);
    const writer = await log.openWriter();
    writer.append(printed('Größe: 3\nGRÖSSE\n\x1eEgröße\n{"level":"info","message":"Größe","unit":"kB"}\n', 80));

    const search = async (text: string) => seqs((await log.store().page(runId, { limit: 10, text })).lines);
    expect(await search('größe')).toEqual([1, 3, 4]);
    expect(await search('"UNIT":"KB"')).toEqual([4]);
    expect(await search('Ö')).toEqual([2]);
  });

  test('gets lines from a given level, step, attempt or instant', async () => {
    const log = await openLogFixture(engine);
    const writer = await log.openWriter();
    const bytes = Buffer.from('\x1edone\n\x1ewtwo\n\x1eEthree\nfour\n');
    writer.append({ attempt: 1, stepId: 'build', bytes, spoolEnd: 30 });
    log.clock.atMs += 1000;
    writer.append({ attempt: 1, stepId: 'ship', bytes, spoolEnd: 30 });
    writer.append({ attempt: 2, stepId: 'ship', bytes, spoolEnd: 30 });

    const page = async (query: object) => seqs((await log.store().page(runId, { limit: 100, ...query })).lines);
    expect(await page({ level: 'warn' })).toEqual([2, 3, 6, 7, 10, 11]);
    expect(await page({ level: 'fatal' })).toEqual([]);
    expect(await page({ stepId: 'build' })).toEqual([1, 2, 3, 4]);
    expect(await page({ attempt: 2, level: 'info' })).toEqual([10, 11, 12]);
    expect(await page({ level: 'warn', tail: 2, beforeSeq: 10 })).toEqual([6, 7]);
    expect(await page({ stepId: 'ship', beforeSeq: 7 })).toEqual([5, 6]);
    expect(await page({ sinceUs: log.clock.atMs * 1000 })).toEqual(range(6, 12));
    expect(await page({ sinceUs: log.clock.atMs * 1000, tail: 50 })).toEqual(range(6, 12));
    expect(await page({ sinceUs: log.clock.atMs * 1000 - 1 })).toEqual(range(5, 12));
    expect(await page({ level: 'warn', text: 't', tail: 3 })).toEqual([7, 10, 11]);
    const first = await log.store().page(runId, { level: 'error', limit: 2 });
    expect([seqs(first.lines), first.nextSeq]).toEqual([[3, 7], 7]);
  });

  test('gets what the program printed, without the lines that flwd added', async () => {
    const log = await openLogFixture(engine);
    const writer = await log.openWriter();
    const bytes = Buffer.from('one\n\x1eEtwo\n\x1eE{"level":"warn","msg":"three"}\n\x1ewfour\n');
    writer.note({ attempt: 1, stepId: 'step_01', message: 'of flwd' });
    writer.append({ attempt: 1, stepId: 'step_01', bytes, spoolEnd: bytes.length });
    writer.note({ attempt: 1, stepId: 'step_01', message: 'of flwd, too' });

    const page = async (query: object) => {
      const { lines } = await log.store().page(runId, { limit: 100, isPrinted: true, ...query });
      return lines.map(({ message }) => message);
    };
    expect(await page({})).toEqual(['one', 'two', 'three', 'four']);
    expect(await page({ tail: 2 })).toEqual(['three', 'four']);
    expect(await page({ level: 'warn', tail: 9 })).toEqual(['two', 'three', 'four']);
    expect(await page({ text: 'of' })).toEqual([]);
  });

  test('gets the lines of all instances of a step, or of one', async () => {
    const log = await openLogFixture(engine);
    const writer = await log.openWriter();
    const bytes = Buffer.from('one\n');
    for (const stepId of ['test[linux]', 'tester', 'test[mac]', 'test']) {
      writer.append({ attempt: 1, stepId, bytes, spoolEnd: 4 });
    }
    const page = async (stepId: string) => seqs((await log.store().page(runId, { limit: 100, stepId })).lines);
    expect(await page('test')).toEqual([1, 3, 4]);
    expect(await page('test[mac]')).toEqual([3]);
    expect(await page('tes')).toEqual([]);
  });

  test('gets nothing for a run that has printed nothing or does not exist', async () => {
    const { store } = await openLogFixture(engine);

    expect(await store().page('run_unknown', { limit: 10 })).toEqual({ lines: [], nextSeq: null });
    expect(await store().page('run_unknown', { tail: 10, limit: 10 })).toEqual({ lines: [], nextSeq: null });
    expect(await store().next('run_unknown', 0)).toBeUndefined();
    expect(await store().lines('run_unknown', 1, 10)).toEqual([]);
  });
});

describe.each(engines)('a follower of a log on $engine', (engine) => {
  test('is called when new lines can be read, until it unsubscribes', async () => {
    const { store, openWriter } = await openLogFixture(engine);
    const read: number[] = [];
    const leave = store().onAppend(runId, () => {
      void store()
        .next(runId, read.length)
        .then((batch) => read.push(...seqs(batch?.lines() ?? [])));
    });
    const writer = await openWriter();

    writer.append(printed('a\nb\n', 4));
    await expect.poll(() => read).toEqual([1, 2]);
    writer.append(printed('c\n', 6));
    await expect.poll(() => read).toEqual([1, 2, 3]);
    leave();
    writer.append(printed('d\n', 8));
    expect(await store().next(runId, 3)).toMatchObject({ firstSeq: 4, lastSeq: 4 });
    expect(await store().next(runId, 4)).toBeUndefined();
    expect(read).toEqual([1, 2, 3]);
  });

  test('gets each line once, from wherever it starts, while the log grows and is compressed', async () => {
    const log = await openLogFixture(engine);
    const followers = [0, 1, 777, 50_000, 149_999].map(async (afterSeq) => {
      let last = afterSeq;
      let wake: (() => void) | undefined;
      const leave = log.store().onAppend(runId, () => wake?.());
      while (last < 150_000) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const batch = await log.store().next(runId, last);
        if (batch) {
          expect(batch.firstSeq).toBe(last + 1);
          expect(seqs(batch.lines())).toEqual(range(last + 1, batch.lastSeq));
          last = batch.lastSeq;
        } else await woken;
      }
      leave();
      return last;
    });
    const writer = await printMuch(log);
    await writer.close();

    expect(await Promise.all(followers)).toEqual([150_000, 150_000, 150_000, 150_000, 150_000]);
  });

  test('shares its frames with all other followers', async () => {
    const { store, openWriter } = await openLogFixture(engine);
    const writer = await openWriter();
    writer.append(printed('say "hi"\n{"level":"warn","message":"\\u00e9","n":1}\n', 60));

    const [one, other] = await Promise.all([store().next(runId, 0), store().next(runId, 0)]);
    expect(one?.frames().toString()).toBe(
      'id: 1\nevent: log\ndata: {"timestamp":"2024-01-15T10:30:00.000000Z","level":"info","message":"say \\"hi\\"",' +
        '"step_id":"step_01","stream":"stdout","attempt":1}\n\n' +
        'id: 2\nevent: log\ndata: {"timestamp":"2024-01-15T10:30:00.000001Z","level":"warn","message":"é",' +
        '"step_id":"step_01","stream":"stdout","attempt":1,"fields":{"n":1}}\n\n',
    );
    expect((await store().next(runId, 0))?.frames()).toBe(one?.frames());
    expect(other?.frames()).toEqual(one?.frames());
    const resumed = (await store().next(runId, 1))?.frames().toString();
    expect(resumed).toMatch(/^id: 2\n/);
  });
});
