// The output of an attempt that a server resumes while the shim of the attempt is still creating its files.

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { createOutput } from '../../src/engine/run/attempt/output.ts';
import { createRunLog, type RunLog } from '../../src/engine/run/run-log.ts';
import { readStatus } from '../../src/exec/proc/shim-status.ts';
import { createRedactor } from '../../src/exec/redact/redact.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { openStore } from '../../src/store/open.ts';
import { aRun } from '../store/a-run.ts';
import { nowMs } from '../store/engines.ts';
import { moveRun } from '../store/moves.ts';

const log = pino({ level: 'silent' });
const half = '0123456789abcdef'.repeat(1_000);
const secret = `${half}\nits end`;
const shim = '{"pid":1,"start_ticks":1,"boot_id":"another"}\n';

/** A running run with an attempt whose folder is still empty. */
async function setUp() {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-output-'));
  const attemptDir = join(dir, 'attempt');
  mkdirSync(attemptDir);
  const paths = { dbPath: join(dir, 'flwd.db'), blobsDir: dir };
  const store = await openStore({ ...paths, clock: systemClock, log, onCommit: () => undefined });
  onTestFinished(async () => {
    await store.close();
    rmSync(dir, { recursive: true });
  });
  const run = aRun();
  await store.db.transact((tx) => store.runs.add(tx, run));
  await store.db.transact((tx) => moveRun(tx, store.runs, run.id, 'claim', { atMs: nowMs }));
  const withRetry = async <T>(work: () => T | Promise<T>): Promise<T> => work();
  const runLog = createRunLog({
    run: { run_id: run.id, job_id: run.jobId, tenant: run.tenant },
    job: { composition: 'single', logs: { maxSizeBytes: 2 ** 20 } },
    store,
    epoch: () => 1,
    log,
    withRetry,
  });
  const at = { stepId: 'step_01', attempt: 1 };
  const open = (through: RunLog) =>
    createOutput({ at, redactor: createRedactor([secret]), runLog: through, withRetry, mayHaveLost: () => false });
  const messages = async (): Promise<string[]> => {
    await runLog.close();
    const { lines } = await store.logs.page(run.id, { limit: 2_000 });
    return lines.map(({ message }) => message);
  };
  const write = (name: string, text: string): void => writeFileSync(join(attemptDir, name), text, { flag: 'a' });
  const attempt = {
    spoolPath: join(attemptDir, 'spool'),
    hasBegun: () => readStatus(attemptDir)?.shim !== undefined,
  };
  return { attempt, runLog, open, messages, write };
}

/** Counts timers. A spool that is read has a timer, which keeps the process running. */
const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;

test('is not lost when the shim has not created the spool yet', async () => {
  const { attempt, runLog, open, messages, write } = await setUp();
  write('status', '');
  const output = open(runLog);
  await output.follow(attempt, 'resume');
  write('spool', 'hello\n');
  write('status', shim);
  await output.drain();
  expect(await messages()).toEqual(['hello']);
});

test('is not lost when the shim creates the spool while the log is being opened', async () => {
  const { attempt, runLog, open, messages, write } = await setUp();
  const output = open({
    ...runLog,
    async open() {
      if (!existsSync(attempt.spoolPath)) write('spool', 'hello\n');
      write('status', shim);
      return runLog.open();
    },
  });
  await output.follow(attempt, 'resume');
  await output.drain();
  expect(await messages()).toEqual(['hello']);
});

test('is not read once the run is left to another process, even while its log is being opened', async () => {
  const { attempt, runLog, open, write } = await setUp();
  write('spool', 'hello\n');
  write('status', shim);
  const output = open({
    ...runLog,
    async open() {
      output.close();
      return runLog.open();
    },
  });
  const before = timers();
  await output.follow(attempt, 'resume');
  expect(timers()).toBeLessThanOrEqual(before);
});

test('is lost when the shim has reported itself and the spool is gone', async () => {
  const { attempt, runLog, open, messages, write } = await setUp();
  write('status', shim);
  const output = open(runLog);
  await output.follow(attempt, 'resume');
  await output.drain();
  expect(await messages()).toEqual(['the output is lost: somebody removed the file to which it was printed']);
});

test('that is printed faster than it is read keeps only its beginning and its end', async () => {
  const { attempt, runLog, open, messages, write } = await setUp();
  write('status', shim);
  const mebibyte = `${'x'.repeat(1023)}\n`.repeat(1_024);
  write('spool', `first\n${mebibyte}`);
  for (let n = 0; n < 100; n++) write('spool', mebibyte);
  // Reading continues 8 MiB before the end of the spool, here in the middle of the first line of the secret.
  const [unread, read] = [`\u001eE${half.slice(100)}`, `${half.slice(-100)}\n\u001eEits end\n`];
  write('spool', `${unread}${read}${mebibyte.repeat(8).slice(read.length + 5)}last\n`);
  const output = open(runLog);
  await output.follow(attempt, 'launch');
  await output.drain();

  expect(output.lastErrors()).toEqual([]);
  const all = await messages();
  expect([all[0], all.at(-1)]).toEqual(['first', 'last']);
  const omissions = all.filter((message) => message.startsWith('…'));
  expect(omissions).toEqual([expect.stringMatching(/^… 1\d\d MB left out: the log is past its limit …$/)]);
});
