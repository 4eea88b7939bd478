import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { zstdDecompressSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createRunStore } from '../../src/store/run/runs.ts';
import { Superseded } from '../../src/store/superseded.ts';
import { numberedLines, placesOf, printed, runId, textOf } from './a-log.ts';
import { aRun } from './a-run.ts';
import { engines, nowMs } from './engines.ts';
import { type LogFixture, makeDir, openLogFixture } from './log-fixture.ts';

const program = join(import.meta.dirname, 'programs/append-log.ts');

describe.each(engines)('the log of a server that was killed, on $engine', (engine) => {
  test('has each line of the spool once, after the next server has read the rest', async () => {
    const dir = makeDir();
    const spoolDir = makeDir();
    onTestFinished(() => rmSync(spoolDir, { recursive: true }));
    const spoolPath = join(spoolDir, 'spool');
    const spool = numberedLines(1, 220_000);
    writeFileSync(spoolPath, spool);

    // The program is killed after small appends, then during large appends, then while full files are compressed.
    for (const killAt of [2000, 2_500_000, 5_500_000]) {
      const child = spawn(process.execPath, [program, engine.engine, dir, spoolPath], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      for await (const line of createInterface(child.stdout)) if (Number(line) >= killAt) child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      expect(child.signalCode).toBe('SIGKILL');
    }

    const log = await openLogFixture(engine, dir);
    const writer = await log.openWriter();
    const seen = await log.readAll();
    const offset = writer.spoolOffset({ stepId: 'step_01', attempt: 1 });
    expect(offset).toBeGreaterThanOrEqual(5_500_000);
    writer.append(printed(spool.slice(offset), spool.length));
    await writer.close();

    const lines = await log.readAll();
    expect(textOf(lines)).toBe(spool);
    expect(lines.findIndex(({ seq }, n) => seq !== n + 1)).toBe(-1);
    expect(placesOf(lines.slice(0, seen.length))).toBe(placesOf(seen));
    expect(lines.every(({ timestamp }, n) => n === 0 || timestamp > (lines[n - 1]?.timestamp ?? ''))).toBe(true);
    expect(log.files().filter((name) => !name.endsWith('.zst'))).toEqual([]);
  });

  test('has all of an append, or nothing of it, when the disk is full', async () => {
    const dir = makeDir();
    const spoolDir = makeDir();
    onTestFinished(() => rmSync(spoolDir, { recursive: true }));
    const spoolPath = join(spoolDir, 'spool');
    const spool = numberedLines(1, 60_000);
    writeFileSync(spoolPath, spool);

    // Limits files to 1 MiB.
    const script = 'ulimit -f 2048 && exec "$@"';
    const child = spawn('sh', ['-c', script, 'sh', process.execPath, program, engine.engine, dir, spoolPath], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said: string[] = [];
    for await (const line of createInterface(child.stdout)) said.push(line);
    expect(said.at(-1)).toBe('EFBIG');

    const log = await openLogFixture(engine, dir);
    const path = join(log.shard, `${runId}.1.raw`);
    const { size } = statSync(path);
    const writer = await log.openWriter();
    expect(statSync(path).size).toBe(size);
    expect(writer.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(Number(said.at(-2)));
    writer.append(printed(spool.slice(writer.spoolOffset({ stepId: 'step_01', attempt: 1 })), spool.length));
    expect(await log.text()).toBe(spool);
  });

  test.each([1, 50, 51, 70, 5000, 70_000])(
    'continues after its last whole chunk when its last %i bytes are lost',
    async (lostBytes) => {
      const log = await openLogFixture(engine);
      const spool = numberedLines(1, 10_000);
      const cut = spool.indexOf('\n', 100_000) + 1;
      const first = await log.openWriter();
      first.append(printed(spool.slice(0, cut), cut));
      first.append(printed(spool.slice(cut), spool.length));
      const before = await log.readAll();
      await log.restart();
      const [name = ''] = log.files();
      const path = join(log.shard, name);
      truncateSync(path, readFileSync(path).length - lostBytes);

      const writer = await log.openWriter();
      const offset = writer.spoolOffset({ stepId: 'step_01', attempt: 1 });
      expect([0, cut]).toContain(offset);
      const kept = await log.readAll();
      expect(before.slice(0, kept.length)).toEqual(kept);
      // The text is appended in other pieces than the first time.
      for (let from = offset; from < spool.length; ) {
        const to = Math.min(spool.length, spool.indexOf('\n', from + 7000) + 1 || spool.length);
        writer.append(printed(spool.slice(from, to), to));
        from = to;
      }

      expect(await log.text()).toBe(spool);
      expect((await log.readAll()).map(({ seq }) => seq)).toEqual(before.map(({ seq }) => seq));
    },
  );

  test('can be read before it is resumed, with the same lines as afterwards', async () => {
    const log = await openLogFixture(engine);
    const { cut } = await printTwoFiles(log);
    await undoSeals(log);
    const [, second = ''] = log.files();
    const path = join(log.shard, second);
    truncateSync(path, statSync(path).size - 1);
    const before = await log.readAll();
    const { size } = statSync(path);

    const writer = await log.openWriter();
    expect(writer.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBeLessThan(cut);
    expect(statSync(path).size).toBeLessThan(size);
    expect(before.length).toBeGreaterThan(1000);
    expect(await log.readAll()).toEqual(before);
  });

  test('continues before lines that the disk has corrupted', async () => {
    const log = await openLogFixture(engine);
    const writer = await log.openWriter();
    writer.append(printed('a\n', 2));
    writer.append(printed('bb\n', 5));
    await log.restart();
    const path = join(log.shard, `${runId}.1.raw`);
    const file = readFileSync(path);
    file[file.indexOf('bb')] = 0;
    writeFileSync(path, file);

    expect((await log.openWriter()).spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(2);
    expect(await log.messages()).toEqual(['a']);
  });

  test('continues after full files that are not compressed yet', async () => {
    const log = await openLogFixture(engine);
    const { spool, cut } = await printTwoFiles(log);
    await undoSeals(log);
    expect(log.files()).toEqual([`${runId}.1.raw`, `${runId}.2.raw`]);

    const writer = await log.openWriter();
    expect(writer.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(cut);
    expect(await log.text()).toBe(spool.slice(0, cut));
    writer.append(printed(spool.slice(cut), spool.length));
    await writer.close();

    expect(await log.text()).toBe(spool);
    expect(log.files()).toEqual([`${runId}.1.zst`, `${runId}.2.zst`]);
  });

  test('keeps a file after one that lost its end, and says which lines are missing', async () => {
    const log = await openLogFixture(engine);
    const { spool, cut } = await printTwoFiles(log);
    await undoSeals(log);
    const path = join(log.shard, `${runId}.1.raw`);
    truncateSync(path, statSync(path).size - 100_000);
    const before = await log.readAll();

    const writer = await log.openWriter();
    expect(writer.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(cut);
    expect(await log.readAll()).toEqual(before);
    writer.append(printed(spool.slice(cut), spool.length));
    await writer.close();

    const lines = await log.readAll();
    const at = lines.findIndex(({ step_id: stepId }) => stepId === '');
    const lastSeq = lines[at]?.seq ?? 0;
    expect(lines[at]?.message).toBe(
      `… lines ${at + 1} to ${lastSeq} of this log cannot be read: the file logs/ZZ/${runId}.1.raw was damaged …`,
    );
    const printedLines = spool.split('\n').slice(0, -1);
    expect(lines.slice(0, at).map(({ message }) => message)).toEqual(printedLines.slice(0, at));
    expect(lines.slice(at + 1).map(({ message }) => message)).toEqual(printedLines.slice(lastSeq));
    expect(log.files().filter((name) => name.endsWith('.zst'))).toEqual([`${runId}.1.zst`, `${runId}.2.zst`]);
    expect(log.files()).toContain(`${runId}.1.raw.damaged`);
  });

  test('can be read while it is compressed', async () => {
    const log = await openLogFixture(engine);
    const writer = await log.openWriter();
    const spool = numberedLines(1, 200_000);
    for (let from = 0; from < spool.length; ) {
      const to = spool.indexOf('\n', Math.min(spool.length - 1, from + 100_000)) + 1;
      writer.append(printed(spool.slice(from, to), to));
      from = to;
    }
    let text = '';
    for (let batch = await log.store().next(runId, 0); batch; batch = await log.store().next(runId, batch.lastSeq)) {
      if (text === '') await writer.close();
      text += textOf(batch.lines());
    }

    expect(text).toBe(spool);
  });

  test('knows how far each attempt’s spool was read, and its times keep growing', async () => {
    const log = await openLogFixture(engine);
    const first = await log.openWriter();
    expect(first.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(0);
    first.append(printed('a\n', 2, 1));
    first.append(printed('b\nc\n', 4, 2));
    expect([
      first.spoolOffset({ stepId: 'step_01', attempt: 1 }),
      first.spoolOffset({ stepId: 'step_01', attempt: 2 }),
      first.spoolOffset({ stepId: 'step_01', attempt: 3 }),
    ]).toEqual([2, 4, 0]);
    const { length } = await log.readAll();
    await first.close();
    await log.restart();

    log.clock.atMs -= 10_000;
    const writer = await log.openWriter();
    expect([
      writer.spoolOffset({ stepId: 'step_01', attempt: 1 }),
      writer.spoolOffset({ stepId: 'step_01', attempt: 2 }),
      writer.spoolOffset({ stepId: 'step_01', attempt: 3 }),
    ]).toEqual([2, 4, 0]);
    expect(writer.lastSeq).toBe(length);
    expect(writer.append(printed('d\n', 6, 2))).toMatchObject({ firstSeq: 4, count: 1 });
    await writer.close();

    expect((await log.readAll()).map(({ timestamp, attempt }) => [timestamp.slice(19), attempt])).toEqual([
      ['.000000Z', 1],
      ['.000001Z', 2],
      ['.000002Z', 2],
      ['.000003Z', 2],
    ]);
    expect(log.files()).toEqual([`${runId}.1.raw`, `${runId}.2.raw`]);
    await log.restart();
    const last = await log.openWriter();
    expect([
      last.spoolOffset({ stepId: 'step_01', attempt: 1 }),
      last.spoolOffset({ stepId: 'step_01', attempt: 2 }),
    ]).toEqual([2, 6]);
  });

  test('can be read by waiting followers as soon as it is resumed', async () => {
    const log = await openLogFixture(engine);
    (await log.openWriter()).append(printed('a\n', 2));
    await log.restart();
    let calls = 0;
    log.store().onAppend(runId, () => calls++);

    await log.openWriter();

    expect(calls).toBe(1);
    expect((await log.store().next(runId, 0))?.lines()).toMatchObject([{ seq: 1, message: 'a' }]);
  });

  test('does not index the files of a writer whose run another server has taken over', async () => {
    const log = await openLogFixture(engine);
    const runs = createRunStore(log.database());
    await log.database().transact((tx) => runs.add(tx, aRun({ id: runId })));
    const claim = { atMs: nowMs, owner: 'owner-1', worker: 'host-1', deadlineAtMs: null };
    await log.database().transact((tx) => runs.claim(tx, runId, claim));
    const writer = await log.openWriter();
    writer.append(printed('a\n', 2));
    const takeover = { owner: 'owner-2', worker: 'host-2', epoch: 1 };
    expect(await log.database().transact((tx) => runs.take(tx, runId, takeover))).toBe(true);

    await expect(writer.close()).rejects.toThrow(Superseded);
    expect(await log.database().read.selectFrom('log_segments').selectAll().execute()).toEqual([]);
  });

  test('has one writer at a time', async () => {
    const { openWriter } = await openLogFixture(engine);
    const writer = await openWriter();

    await expect(openWriter()).rejects.toThrow('one writer');
    await writer.close();
    await expect(writer.close()).resolves.toEqual({ firstSeq: 1, count: 0 });
    await (await openWriter()).close();
  });
});

/** Prints two full files. The spool continues after `cut`. */
async function printTwoFiles(log: LogFixture): Promise<{ spool: string; cut: number }> {
  const spool = numberedLines(1, 300_000);
  const half = spool.indexOf('\n', 5_000_000) + 1;
  const cut = spool.indexOf('\n', 9_500_000) + 1;
  const writer = await log.openWriter();
  writer.append(printed(spool.slice(0, half), half));
  writer.append(printed(spool.slice(half, cut), cut));
  await writer.release();
  return { spool, cut };
}

/** Restores the state of a server that was killed before it compressed anything. */
async function undoSeals(log: LogFixture): Promise<void> {
  for (const name of log.files()) {
    const path = join(log.shard, name);
    writeFileSync(path.replace('.zst', '.raw'), zstdDecompressSync(readFileSync(path)));
    rmSync(path);
  }
  await log.database().transact(async (tx) => {
    await tx.db.deleteFrom('log_segments').execute();
  });
}
