import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { array, assert, asyncProperty, constantFrom } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { linesOf, numberedLines, printed, runId } from './a-log.ts';
import { engines } from './engines.ts';
import { openLogFixture } from './log-fixture.ts';

describe.each(engines)('the log of a run on $engine', (engine) => {
  test('has each printed line with its number, time, level, stream, step and attempt', async () => {
    const { openWriter, readAll } = await openLogFixture(engine);
    const writer = await openWriter();

    expect(writer.append(printed('copying\n\x1eEdisk is nearly full\n', 32))).toEqual({
      firstSeq: 1,
      count: 2,
      progress: [],
    });

    expect(await readAll()).toEqual([
      {
        seq: 1,
        timestamp: '2024-01-15T10:30:00.000000Z',
        level: 'info',
        message: 'copying',
        step_id: 'step_01',
        stream: 'stdout',
        attempt: 1,
      },
      {
        seq: 2,
        timestamp: '2024-01-15T10:30:00.000001Z',
        level: 'error',
        message: 'disk is nearly full',
        step_id: 'step_01',
        stream: 'stderr',
        attempt: 1,
      },
    ]);
  });

  test('shows the level of a line from a helper, without its mark', async () => {
    const { openWriter, readAll } = await openLogFixture(engine);
    const writer = await openWriter();

    writer.append(printed('\x1etT\n\x1edD\n\x1eiI\n\x1ewW\n\x1eeE\n\x1efF\n', 24));

    expect((await readAll()).map(({ level, message, stream }) => `${level} ${message} ${stream}`)).toEqual([
      'trace T stdout',
      'debug D stdout',
      'info I stdout',
      'warn W stdout',
      'error E stdout',
      'fatal F stdout',
    ]);
  });

  test.each([
    ['{"level":"warn","message":"low disk","free":3}', 'warn', 'low disk', { free: 3 }],
    ['{"level":"WARNING","msg":"low disk"}', 'warn', 'low disk', undefined],
    ['{"level":50,"msg":"refused","err":{"code":"EACCES"}}', 'error', 'refused', { err: { code: 'EACCES' } }],
    ['\x1eE{"level":"debug","message":"probing"}', 'debug', 'probing', undefined],
    ['{"level":"loud","message":"hey"}', 'info', '{"level":"loud","message":"hey"}', undefined],
    ['{"level":"warn"}', 'info', '{"level":"warn"}', undefined],
    ['{"message":"no level"}', 'info', '{"message":"no level"}', undefined],
    ['{"level":"warn","message":"cut o', 'info', '{"level":"warn","message":"cut o', undefined],
  ])('reads the line %s with the level %s', async (line, level, message, fields) => {
    const { openWriter, readAll } = await openLogFixture(engine);
    const writer = await openWriter();

    writer.append(printed(`${line}\n`, 100));

    const [read] = await readAll();
    expect(read).toMatchObject({ level, message });
    expect(read?.fields).toEqual(fields);
  });

  test('shows a line as text if its JSON is nested too deeply', async () => {
    const { openWriter, readAll } = await openLogFixture(engine);
    const writer = await openWriter();
    const nested = (levels: number) =>
      `{"level":"warn","message":"deep","at":"]}\\"]","of":${'['.repeat(levels)}${']'.repeat(levels)}}`;

    writer.append(printed([63, 64, 30_000].map((levels) => `${nested(levels)}\n`).join(''), 100));

    const read = await readAll();
    expect(read.map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'deep'],
      ['info', nested(64)],
      ['info', nested(30_000)],
    ]);
  });

  test('keeps lines of stderr apart from an unfinished line of stdout', async () => {
    const { openWriter, readAll } = await openLogFixture(engine);
    const writer = await openWriter();

    writer.append(printed('half a li\x1eEwarning\nne\r\nno mark: \x1ez\nend', 40));

    expect((await readAll()).map(({ stream, message }) => [stream, message])).toEqual([
      ['stdout', 'half a li'],
      ['stderr', 'warning'],
      ['stdout', 'ne'],
      ['stdout', 'no mark: \x1ez'],
      ['stdout', 'end'],
    ]);
  });

  test('returns progress, which is not a line', async () => {
    const { openWriter, messages } = await openLogFixture(engine);
    const writer = await openWriter();

    const appended = writer.append(printed('a\n\x1eP 40 copying\nb\n\x1eP100\nc\n\x1eP soon\n', 40));

    expect(appended.progress).toEqual([
      { percent: 40, message: 'copying', afterSeq: 1 },
      { percent: 100, message: '', afterSeq: 2 },
    ]);
    expect(appended.count).toBe(4);
    expect(writer.append(printed('\x1eP 7 on\ne\n', 52)).progress).toMatchObject([{ afterSeq: 4 }]);
    expect(await messages()).toEqual(['a', 'b', 'c', ' soon', 'e']);
  });

  test('keeps binary output, and shows U+FFFD where it is not valid UTF-8', async () => {
    const { openWriter, store, messages } = await openLogFixture(engine);
    const writer = await openWriter();

    writer.append(printed(Buffer.from([0x00, 0xff, 0xfe, 0x0a, 0xc3, 0xa9, 0x0a, 0x0a]), 8));

    expect(await messages()).toEqual(['\0\ufffd\ufffd', 'é', '']);
    const frames = (await store().next(runId, 0))?.frames().toString() ?? '';
    expect(frames).toContain(String.raw`"message":"\u0000��"`);
  });

  test('is the same however the output was split when it was appended', async () => {
    const { store } = await openLogFixture(engine);
    const letters = constantFrom('a', 'é', '\x1e', 'E', 'w', 'P', '4', ' ', '\n', '\n', '\r\n', '{', '}', '\0');
    let n = 0;
    await assert(
      asyncProperty(array(array(letters, { maxLength: 40 }), { maxLength: 12 }), async (parts) => {
        const pieces = parts.map((part) => `${part.join('')}\n`);
        const ids = [`run_whole_${++n}`, `run_parts_${n}`] as const;
        const [whole, cut] = await Promise.all(
          ids.map((id) => store().openWriter({ runId: id, epoch: 1, maxSizeBytes: 2 ** 30 })),
        );
        whole?.append(printed(pieces.join(''), 1));
        for (const piece of pieces) cut?.append(printed(piece, 1));
        await Promise.all([whole?.close(), cut?.close()]);
        const [one, other] = await Promise.all(ids.map((id) => linesOf(store(), id)));
        expect(other).toEqual(one);
      }),
      { numRuns: 50 },
    );
  });

  test('has strictly growing times, even if the clock is set back', async () => {
    const { openWriter, clock, readAll } = await openLogFixture(engine);
    const writer = await openWriter();

    writer.append(printed('a\nb\n', 4));
    clock.atMs -= 60_000;
    writer.append(printed('c\n', 6));
    clock.atMs += 61_000;
    writer.append(printed('d\n', 8));

    expect((await readAll()).map(({ timestamp }) => timestamp)).toEqual([
      '2024-01-15T10:30:00.000000Z',
      '2024-01-15T10:30:00.000001Z',
      '2024-01-15T10:30:00.000002Z',
      '2024-01-15T10:30:01.000000Z',
    ]);
  });

  test('has flwd’s own lines at their place', async () => {
    const { openWriter, readAll } = await openLogFixture(engine);
    const writer = await openWriter();

    writer.append(printed('a\n', 2));
    const note = { attempt: 1, stepId: 'step_01', level: 'warn', message: 'a pipe\nwas left out' } as const;
    expect(writer.note(note)).toEqual({ firstSeq: 2, count: 1 });
    writer.append(printed('b\n', 4));

    expect((await readAll()).map(({ level, message }) => `${level} ${message}`)).toEqual([
      'info a',
      'warn a pipe was left out',
      'info b',
    ]);
  });

  test('has no file if nothing was printed, and one file if little was printed', async () => {
    const { openWriter, files, messages } = await openLogFixture(engine);
    await (await openWriter()).close();
    const writer = await openWriter();
    writer.append(printed('\x1eP 50 half\n', 11));
    expect(files()).toEqual([]);

    writer.append(printed('a\n', 2));
    await writer.close();
    expect(files()).toEqual([`${runId}.1.raw`]);
    expect(await messages()).toEqual(['a']);
  });

  test('is compressed to less than a third, and has the same lines while it grows and when it is finished', async () => {
    const { openWriter, files, shard, storedBytes, text } = await openLogFixture(engine);
    const writer = await openWriter();
    let spool = '';
    for (let n = 0; n < 250; n++) {
      const lines = numberedLines(n * 1000 + 1, (n + 1) * 1000);
      spool += lines;
      writer.append(printed(lines, spool.length));
      await writer.ready();
    }

    expect(await text()).toBe(spool);
    await writer.close();
    expect(await text()).toBe(spool);
    expect(files()).toEqual([1, 2, 3].map((n) => `${runId}.${n}.zst`));
    expect(storedBytes()).toBeLessThan(spool.length / 3);
    // Each file states its decompressed size (RFC 8878, 3.1.1.1.1), which makes reading faster.
    for (const name of files()) expect(readFileSync(join(shard, name)).readUInt8(4) >> 6).toBeGreaterThan(0);
  });
});
