// What an attempt prints, on its way from the spool to the log and the journal: redacted before anything else sees it.

import { stepIdOfSingle } from '../domain/job.ts';
import { type LogLevel, spoolMark } from '../domain/log-line.ts';
import type { Run } from '../domain/run.ts';
import type { Redactor } from '../exec/redact.ts';
import { followSpool, type SpoolFollower, type SpoolJump } from '../exec/spool.ts';
import type { Logger } from '../lib/logger.ts';
import type { Transaction } from '../store/database.ts';
import type { LogWriter } from '../store/logs.ts';
import type { Store } from '../store/open.ts';
import { createAnnouncements } from './announcements.ts';

export type Output = {
  /** Starts reading; a take-up goes on behind what is stored already. */
  readonly follow: (spoolPath: string, mode: 'launch' | 'take-up') => Promise<void>;
  /** Resolves when all that is in the spool is in the log. */
  readonly drain: () => Promise<void>;
  /** The last line on stderr, redacted and cut; undefined when there was none. */
  readonly lastError: () => string | undefined;
  /** A line of the engine's own. */
  readonly note: (level: LogLevel, message: string) => Promise<void>;
  /** Writes what `work` does, and with it the journal row of lines not announced yet. */
  readonly commit: (work: (tx: Transaction) => Promise<void>) => Promise<void>;
  /** Seals the log. What that makes readable is announced next. */
  readonly close: () => Promise<void>;
  /** Stops reading and leaves the log open for the next start, which announces what could not be announced here. */
  readonly release: () => Promise<void>;
};

export function createOutput(o: {
  readonly run: Pick<Run, 'run_id' | 'job_id' | 'tenant' | 'attempt'>;
  readonly redactor: Redactor;
  readonly store: Store;
  readonly maxSizeBytes: number;
  readonly log: Logger;
  /** Does the work again while it is the disk that refuses it. */
  readonly patiently: <T>(work: () => T | Promise<T>) => Promise<T>;
}): Output {
  const { run, store } = o;
  const at = { attempt: run.attempt, stepId: stepIdOfSingle };
  const redaction = o.redactor.stream();
  const announcements = createAnnouncements(o);
  let writer: LogWriter | undefined;
  let spool: SpoolFollower | undefined;
  let spoolPath = '';
  let spoolEnd = 0;
  let lastError: string | undefined;
  const leaps: SpoolJump[] = [];

  async function open(): Promise<LogWriter> {
    writer ??= await store.logs.openWriter({ runId: run.run_id, maxSizeBytes: o.maxSizeBytes });
    return writer;
  }

  async function append(log: LogWriter, bytes: Buffer): Promise<void> {
    const settledEnd = Math.max(0, spoolEnd - redaction.heldBytes);
    const { firstSeq, count, progress } = await o.patiently(() => log.append({ ...at, bytes, spoolEnd: settledEnd }));
    lastError = lastErrorIn(bytes) ?? lastError;
    // Of several in one read the last one says where the script is.
    const latest = progress.at(-1);
    if (!latest) {
      announcements.addLines({ firstSeq, count });
      return;
    }
    const { percent, message, afterSeq } = latest;
    // Lines that are held back were counted before it, and become readable after it.
    const before = Math.min(count, afterSeq - firstSeq + 1);
    announcements.addLines({ firstSeq, count: before });
    announcements.addProgress({ percent, message }, afterSeq);
    announcements.addLines({ firstSeq: firstSeq + before, count: count - before });
  }

  /** A secret that began where the spool was cut off is waited for no longer. */
  async function leap(log: LogWriter, { cause, fromOffset, toOffset }: SpoolJump): Promise<void> {
    const rest = redaction.flush();
    if (rest.length > 0) await append(log, rest);
    const what = cause === 'hole' ? 'holds nothing' : 'was cut off by the script';
    const message = `the output between its bytes ${fromOffset} and ${toOffset} ${what}`;
    announcements.addLines(await o.patiently(() => log.note({ ...at, level: 'warn', message })));
  }

  /** From where reading has come to. */
  function read(): SpoolFollower {
    return followSpool({
      path: spoolPath,
      offset: spoolEnd,
      onJump: (jump) => {
        leaps.push(jump);
      },
      async onBytes(bytes, endOffset) {
        const log = writer ?? (await o.patiently(open));
        for (const jump of leaps.splice(0)) await leap(log, jump);
        const clean = redaction.push(bytes);
        spoolEnd = endOffset;
        await append(log, clean);
        spool?.discard(log.spoolOffset(run.attempt));
        await log.ready();
      },
    });
  }

  async function takeUp(): Promise<void> {
    const log = await open();
    spoolEnd = log.spoolOffset(run.attempt);
    const announced = await store.journal.lastOutputSeq(run.run_id);
    announcements.addLines({ firstSeq: announced + 1, count: log.lastSeq - announced });
  }

  return {
    async follow(path, mode) {
      spoolPath = path;
      if (mode === 'take-up') await o.patiently(takeUp);
      spool = read();
    },
    async drain() {
      await o.patiently(async () => {
        spool ??= read();
        try {
          await spool.drain();
        } catch (error) {
          // What it could not read is in the spool still.
          spool = undefined;
          throw error;
        }
      });
      const rest = redaction.flush();
      if (rest.length > 0 && writer) await append(writer, rest);
    },
    lastError: () => lastError,
    async note(level, message) {
      announcements.addLines(await o.patiently(async () => (await open()).note({ ...at, level, message })));
    },
    commit: announcements.commit,
    async close() {
      const log = writer;
      spool?.close();
      if (log) announcements.addLines(await o.patiently(() => log.close()));
      announcements.pause();
    },
    async release() {
      spool?.close();
      try {
        await writer?.release();
        await announcements.flush();
      } finally {
        announcements.pause();
      }
    },
  };
}

const errorMark = Buffer.of(spoolMark, 'E'.charCodeAt(0));
const shownErrorBytes = 500;

function lastErrorIn(bytes: Buffer): string | undefined {
  const at = bytes.lastIndexOf(errorMark);
  if (at < 0) return undefined;
  const start = at + errorMark.length;
  const newline = bytes.indexOf(10, start);
  const end = Math.min(newline < 0 ? bytes.length : newline, start + shownErrorBytes);
  return bytes.toString('utf8', start, end).trim() || undefined;
}
