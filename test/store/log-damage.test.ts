// Files of logs that cannot be read: what is around them can, and whoever writes on does.

import { rmSync, symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { numberedLines, printed, runId } from './a-log.ts';
import { engines } from './engines.ts';
import { type LogFixture, openLogFixture } from './log-fixture.ts';

const mark = /^… lines? .* of this log cannot be read: the file logs\/ZZ\/.*\.(raw|zst) is (damaged|missing) …$/;

/** Two indexed segments, of lines 1 to 2 and 3 to 4. */
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
  test('has its mark whatever lines are asked for', async () => {
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

  test('has a mark for a file in a bad place of the disk', async () => {
    const log = await openLogFixture(engine);
    await printTwoSegments(log);
    const path = join(log.shard, `${runId}.2.raw`);
    rmSync(path);
    // The kernel answers EIO to whoever reads it from its beginning.
    symlinkSync('/proc/self/mem', path);
    await expect.poll(() => log.messages()).toEqual(['a', 'b', expect.stringMatching(mark)]);
  });

  test.each(['damaged', 'missing', 'unreadable'])('is written on when its last one is %s', async (how) => {
    const log = await openLogFixture(engine);
    await printTwoSegments(log);
    const path = join(log.shard, `${runId}.2.raw`);
    if (how === 'damaged') truncateSync(path, 10);
    else rmSync(path);
    if (how === 'unreadable') symlinkSync('/proc/self/mem', path);
    await log.restart();

    const writer = await log.openWriter();
    // What the spool still has of it is read again.
    expect(writer.spoolOffset({ stepId: 'step_01', attempt: 1 })).toBe(4);
    expect(writer.append(printed('c\nd\ne\n', 10))).toMatchObject({ firstSeq: 5, count: 3 });
    await writer.close();
    expect(await log.messages()).toEqual(['a', 'b', expect.stringMatching(mark), 'c', 'd', 'e']);
  });

  test('is written on when none can be read', async () => {
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
