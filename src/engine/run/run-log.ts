// The log of a run as its attempts write to it, side by side: one writer, opened by the first line, and what of it has
// been announced in the journal.

import { outputTypeOf } from '../../domain/event.ts';
import type { JobDefinition } from '../../domain/job.ts';
import type { Progress, Run } from '../../domain/run.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Transaction } from '../../store/database.ts';
import type { LogWriter } from '../../store/log/logs.ts';
import type { Store } from '../../store/open.ts';
import { createAnnouncements } from './announcements.ts';

export type RunLog = {
  readonly open: () => Promise<LogWriter>;
  /** Lines and progress that are in the log now, to be announced. */
  readonly addLines: (lines: { readonly firstSeq: number; readonly count: number }) => void;
  readonly addProgress: (progress: Progress, afterSeq: number) => void;
  /** Announces what an earlier process has stored and not announced. */
  readonly resume: () => Promise<void>;
  /** A line of the engine's own, a warning. */
  readonly note: (at: { readonly stepId: string; readonly attempt: number }, message: string) => Promise<void>;
  /** Writes what `work` does, and with it the journal rows of what is not announced yet. */
  readonly commit: (work: (tx: Transaction) => Promise<void>) => Promise<void>;
  /** Seals the log. What that makes readable is announced by the next commit. */
  readonly close: () => Promise<void>;
  /** Leaves the log open for the next start, which announces what could not be announced here. */
  readonly release: () => Promise<void>;
  /** Leaves the log, and what is not announced yet, to the process that has taken the run over. */
  readonly leave: () => Promise<void>;
};

export function createRunLog(o: {
  readonly run: Pick<Run, 'run_id' | 'job_id' | 'tenant'>;
  readonly job: Pick<JobDefinition, 'composition' | 'logs'>;
  readonly store: Store;
  /** In which the run is driven. */
  readonly epoch: () => number;
  readonly log: Logger;
  /** Does the work again while it is the disk that refuses it. */
  readonly withRetry: <T>(work: () => T | Promise<T>) => Promise<T>;
}): RunLog {
  const { run, job, store } = o;
  const announcements = createAnnouncements({ ...o, outputType: outputTypeOf(job) });
  let opening: Promise<LogWriter> | undefined;

  function open(): Promise<LogWriter> {
    opening ??= o
      .withRetry(() =>
        store.logs.openWriter({ runId: run.run_id, epoch: o.epoch(), maxSizeBytes: job.logs.maxSizeBytes }),
      )
      .catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
    return opening;
  }

  return {
    open,
    addLines: announcements.addLines,
    addProgress: announcements.addProgress,
    async resume() {
      const log = await open();
      const announced = await store.journal.lastOutputSeq(run.run_id);
      announcements.addLines({ firstSeq: announced + 1, count: log.lastSeq - announced });
    },
    async note(at, message) {
      const log = await open();
      announcements.addLines(await o.withRetry(() => log.note({ ...at, message })));
    },
    commit: announcements.commit,
    async close() {
      const log = await opening;
      if (log) announcements.addLines(await o.withRetry(() => log.close()));
      announcements.pause();
    },
    async release() {
      try {
        await (await opening)?.release();
        await announcements.flush();
      } finally {
        announcements.pause();
      }
    },
    async leave() {
      announcements.pause();
      await (await opening)?.release();
    },
  };
}
