// A disk that is full for a while delays the end of a run, but does not change how the run ends.

import { existsSync, globSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { isOutput } from '../../src/domain/event.ts';
import type { LogLine } from '../../src/domain/log-line.ts';
import { localPrincipal } from '../../src/domain/principal.ts';
import { bash } from '../support/jobs.ts';
import { fillDisk, fillInodes, testWithDisk as test } from '../support/small-disk.ts';
import { dataFolder, type Opened, openEngine } from './an-engine.ts';

/** Prints `ready`. Once the test tells it to, prints `done` and ends. */
const told = bash('echo ready; until [[ -e go ]]; do sleep 0.02; done; rm go; echo done');

const waiting = 'a run waits until its data can be stored';
/** The log says "may", because the last page of the spool may have had room for the lines of the test. */
const lost = 'the disk was full: lines that were printed meanwhile may be missing';

/** All lines of the log of a run, although it is longer than one page. */
async function wholeLog({ store }: Opened, runId: string): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for (let page = await store.logs.page(runId, { limit: 200_000 }); ; ) {
    lines.push(...page.lines);
    if (page.nextSeq === null) return lines;
    page = await store.logs.page(runId, { limit: 200_000, afterSeq: page.nextSeq });
  }
}

function tell(root: string, runId: string): void {
  writeFileSync(join(root, 'data', 'runs', runId, 'workspace', 'go'), '');
}

async function ready(opened: Opened, jobId: string): Promise<string> {
  const runId = await opened.create(jobId);
  await expect.poll(() => opened.messages(runId)).toEqual(['ready']);
  return runId;
}

describe('while the disk is full', () => {
  test('a script that ends then succeeds once there is room, with its whole log and its events', async () => {
    const root = dataFolder({ sizeMiB: 16 });
    const opened = await openEngine(root, { jobs: { told } });
    const runId = await ready(opened, 'told');
    const free = fillDisk(root);
    tell(root, runId);
    await expect.poll(() => opened.store.db.failure()).not.toBeNull();
    expect(await opened.store.runs.get(runId)).toMatchObject({ status: 'running' });

    free();
    expect(await opened.finished(runId)).toMatchObject({ status: 'success', error: null, exit_code: 0 });
    expect((await opened.messages(runId)).filter((message) => message !== lost)).toEqual(['ready', 'done']);
    const entries = await opened.store.journal.read({ afterId: 0, runId, limit: 100 });
    const announced = entries.flatMap((entry) =>
      isOutput(entry) ? Array.from({ length: entry.lineCount }, (_, n) => entry.firstSeq + n) : [],
    );
    expect(announced).toEqual((await opened.messages(runId)).map((_, at) => at + 1));
    await expect.poll(() => existsSync(join(root, 'data', 'runs', runId))).toBe(false);
  });

  test('the log says once that no run can start, and once that runs can start again', async () => {
    const root = dataFolder({ sizeMiB: 16 });
    const first = await openEngine(root, { jobs: { told } });
    const said = ({ log }: Opened) =>
      log.filter(({ msg }) => String(msg).includes('because the data dir has')).map(({ level, msg }) => [level, msg]);
    const full = [40, 'no run can start, because the data dir has no room'];
    const over = [30, 'runs can start again, because the data dir has room'];
    const free = fillDisk(root);
    await expect.poll(() => said(first)).toEqual([full]);
    free();
    await expect.poll(() => said(first)).toEqual([full, over]);
    await first.close();

    // This is enough room to open the database, but not for a run.
    fillDisk(root);
    truncateSync(join(root, 'filler'), statSync(join(root, 'filler')).size - 700 * 1024);
    const opened = await openEngine(root, { jobs: { told } });
    expect(said(opened)).toEqual([full]);
    await expect(opened.create('told')).rejects.toThrow('the disk is full');
  });

  test('output waits in the spool while the disk of the logs is full, and no line is lost', async () => {
    const logs = dataFolder({ sizeMiB: 1 });
    const opened = await openEngine(dataFolder(), { blobsDir: logs, jobs: { counts: bash('seq 20000') } });
    const free = fillDisk(logs);
    const runId = await opened.create('counts');
    await expect.poll(() => opened.log.map(({ msg }) => msg)).toContain('a run waits until its data can be stored');
    expect(await opened.store.runs.get(runId)).toMatchObject({ status: 'running' });

    free();
    expect(await opened.finished(runId)).toMatchObject({ status: 'success', error: null });
    const lines = await opened.store.logs.page(runId, { limit: 20_001 });
    expect(lines.lines.map(({ message }) => Number(message))).toEqual(Array.from({ length: 20_000 }, (_, n) => n + 1));
  });

  test('output that exceeds the room in the spool is lost, and the log says so', async () => {
    const root = dataFolder({ sizeMiB: 16 });
    const prints = bash(
      'echo ready; until [[ -e go ]]; do sleep 0.02; done; until [[ -e stop ]]; do printf "%02000d\\n" 1 || true; sleep 0.01; done',
    );
    const opened = await openEngine(root, { jobs: { prints, quiet: told } });
    const quietId = await ready(opened, 'quiet');
    const runId = await ready(opened, 'prints');
    tell(root, quietId);
    await opened.finished(quietId);
    const free = fillDisk(root);
    tell(root, runId);
    const full = 'no run can start, because the data dir has no room';
    await expect.poll(() => opened.log.map(({ msg }) => msg)).toContain(full);
    free();
    writeFileSync(join(root, 'data', 'runs', runId, 'workspace', 'stop'), '');
    expect(await opened.finished(runId)).toMatchObject({ status: 'success' });
    expect((await opened.messages(runId)).at(-1)).toBe(lost);
    expect(await opened.messages(quietId)).not.toContain(lost);
  });

  test('a run that waits for the disk says so, until it goes on', async () => {
    const logs = dataFolder({ sizeMiB: 1 });
    const opened = await openEngine(dataFolder(), { blobsDir: logs, jobs: { counts: bash('seq 20000') } });
    const free = fillDisk(logs);
    const runId = await opened.create('counts');
    const shown = async () => (await opened.store.runs.get(runId))?.waiting;
    await expect.poll(shown).toBe('the disk is full; the run continues when that is fixed');
    expect(await opened.store.runs.summary(runId)).toMatchObject({ status: 'running', waiting: await shown() });

    free();
    expect(await opened.finished(runId)).toMatchObject({ status: 'success', waiting: null });
    const entries = await opened.store.journal.read({ afterId: 0, runId, limit: 100 });
    const told = entries.flatMap((entry) => (entry.type === 'run.waiting' ? [entry.data] : []));
    expect(told).toEqual([
      { status: 'running', message: expect.stringContaining('the disk is full') },
      { status: 'running' },
    ]);
  });

  test('a run whose own output fills the disk ends, and each of its lines is in the log or counted there', async () => {
    const root = dataFolder({ sizeMiB: 32 });
    const floods = bash(
      'while head -c 1000000 /dev/urandom | base64 2>&-; do :; done; touch full; until [[ -e go ]]; do sleep 0.02; done; exit 7',
    );
    const opened = await openEngine(root, { jobs: { floods } });
    const runId = await opened.create('floods');
    const dir = join(root, 'data', 'runs', runId);
    await expect.poll(() => existsSync(join(dir, 'workspace', 'full'))).toBe(true);
    const spools = globSync('**/spool', { cwd: dir });
    const printed = spools.flatMap((path) => readFileSync(join(dir, path), 'utf8').trimEnd().split('\n'));
    tell(root, runId);
    expect(await opened.finished(runId)).toMatchObject({ status: 'failed', reason: 'exit' });
    const lines = await wholeLog(opened, runId);
    // If the script fills the disk much faster than the server reads its output, the middle is left out.
    const leftOut = lines.map(({ message }) => Number(/^… (\d+) lines .* left out: the disk/.exec(message)?.[1] ?? 0));
    const kept = lines.filter(({ stream }) => stream === 'stdout');
    expect(leftOut.reduce((sum, count) => sum + count, kept.length)).toBe(printed.length);
    expect(printed.length).toBeGreaterThan(100_000);
    expect(kept.every(({ message }) => message.length <= 76)).toBe(true);
  });

  test('a run ends with a complete log, although the disk had no room for its output when the script ended', async () => {
    const root = dataFolder({ sizeMiB: 32 });
    const prints = bash(
      'echo ready; until [[ -e go ]]; do sleep 0.02; done; head -c 6000000 /dev/urandom | base64; echo done; touch ended',
    );
    const opened = await openEngine(root, { jobs: { prints } });
    const runId = await ready(opened, 'prints');
    await opened.close();
    tell(root, runId);
    await expect.poll(() => existsSync(join(root, 'data', 'runs', runId, 'workspace', 'ended'))).toBe(true);

    // This is enough room to open the database, but not for the output.
    fillDisk(root);
    truncateSync(join(root, 'filler'), statSync(join(root, 'filler')).size - 700 * 1024);
    mkdirSync(join(root, 'rest'));
    const next = await openEngine(root);
    await expect.poll(() => next.log.map(({ msg }) => msg)).toContain(waiting);
    fillDisk(join(root, 'rest'));
    expect(await next.finished(runId)).toMatchObject({ status: 'success', error: null });
    const messages = await next.messages(runId);
    expect(messages).toContainEqual(expect.stringMatching(/^… \d+ lines .* left out: the disk was full …$/));
    expect(messages.length).toBeGreaterThan(1_000);
    expect(messages).toContain('done');
  });

  test('the end of a log over its limit is stored once there is room, even after the script has ended', async () => {
    const logs = dataFolder({ sizeMiB: 1 });
    const chatty = bash('seq 100000; echo ready; until [[ -e go ]]; do sleep 0.02; done; rm go', {
      logs: { max_size: '256kB' },
    });
    const root = dataFolder();
    const opened = await openEngine(root, { blobsDir: logs, jobs: { chatty } });
    const runId = await opened.create('chatty');
    await expect.poll(() => opened.messages(runId)).not.toEqual([]);
    const free = fillDisk(logs);
    tell(root, runId);
    await expect.poll(() => opened.log.map(({ msg }) => msg)).toContain('a run waits until its data can be stored');

    free();
    expect(await opened.finished(runId)).toMatchObject({ status: 'success' });
    const { lines } = await opened.store.logs.page(runId, { limit: 100_000 });
    const omitted = lines.findIndex(({ message }) => message.includes('left out'));
    const end = lines.slice(omitted + 1).map(({ message }) => message);
    expect(end.at(-1)).toBe('ready');
    expect(end.length).toBeGreaterThan(1_000);
    expect(end.slice(0, -1)).toEqual(
      Array.from({ length: end.length - 1 }, (_, n) => String(100_002 - end.length + n)),
    );
  });

  test('the server can be stopped, and at the next start each run ends as its script ended', async () => {
    const root = dataFolder({ sizeMiB: 16 });
    const opened = await openEngine(root, { jobs: { told } });
    const [ending, going] = [await ready(opened, 'told'), await ready(opened, 'told')];
    const free = fillDisk(root);
    tell(root, ending);
    await expect.poll(() => opened.store.db.failure()).not.toBeNull();
    await opened.close();

    free();
    tell(root, going);
    const next = await openEngine(root);
    for (const runId of [ending, going]) {
      expect(await next.finished(runId)).toMatchObject({ status: 'success', error: null });
      expect((await next.messages(runId)).slice(0, 2)).toEqual(['ready', 'done']);
    }
  });
});

describe('while the disk has no inodes left', () => {
  test('health reports it, new runs are refused, and a waiting run starts once there is room', async () => {
    const root = dataFolder({ sizeMiB: 16, inodes: 300 });
    const opened = await openEngine(root, { jobs: { told }, limits: { globalConcurrency: 1 } });
    const first = await ready(opened, 'told');
    const second = await opened.create('told');
    const free = fillInodes(root);
    expect(opened.engine.health().disk).toEqual({
      status: 'failing',
      detail: 'the disk has no room for more files (free inodes: 0): free space, or run flwd gc',
    });
    await expect(opened.create('told')).rejects.toMatchObject({
      slug: 'not-ready',
      message:
        'The server cannot write its data: the disk has no room for more files (free inodes: 0): free space, or run flwd gc.',
      members: { retry_after: 5 },
    });
    // From now on the second run has its turn, but the disk has no room.
    await opened.engine.cancel(first, localPrincipal);
    await expect.poll(() => opened.log).toContainEqual(expect.objectContaining({ run_id: second, msg: waiting }));
    expect(await opened.store.runs.get(second)).toMatchObject({ status: 'running' });

    free();
    await expect.poll(() => opened.messages(second)).toEqual(['ready']);
    tell(root, second);
    expect(await opened.finished(second)).toMatchObject({ status: 'success', error: null });
    expect(opened.engine.health().disk).toEqual({ status: 'ok', detail: expect.stringMatching(/ free$/) });
    expect(await opened.create('told')).toMatch(/^run_/);
  });

  test('a run that waits for room can be cancelled', async () => {
    const root = dataFolder({ sizeMiB: 16, inodes: 300 });
    const opened = await openEngine(root, { jobs: { told }, limits: { globalConcurrency: 1 } });
    const first = await ready(opened, 'told');
    const second = await opened.create('told');
    fillInodes(root);
    await opened.engine.cancel(first, localPrincipal);
    await expect.poll(() => opened.log).toContainEqual(expect.objectContaining({ run_id: second, msg: waiting }));
    expect(await opened.engine.cancel(second, localPrincipal)).toEqual({ status: 'cancelled' });
    expect(await opened.store.runs.get(second)).toMatchObject({ status: 'cancelled', started_at: expect.any(String) });
  });
});
