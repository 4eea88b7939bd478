// The log of a run. The first line opens a writer, which all attempts of the run share. New lines are announced in the
// journal.

import { outputTypeOf } from '../../domain/event.ts';
import type { JobDefinition } from '../../domain/job.ts';
import type { Run } from '../../domain/run.ts';
import type { Logger } from '../../lib/logger.ts';
import type { LogWriter } from '../../store/log/logs.ts';
import type { Store } from '../../store/open.ts';
import { createAnnouncements } from './announcements.ts';

export type RunLog = ReturnType<typeof createRunLog>;

export function createRunLog(o: {
  readonly run: Pick<Run, 'run_id' | 'job_id' | 'tenant'>;
  readonly job: Pick<JobDefinition, 'composition' | 'logs'>;
  readonly store: Store;
  /** The epoch in which this process drives the run. */
  readonly epoch: () => number;
  readonly log: Logger;
  /** Repeats the work while the disk refuses it. */
  readonly withRetry: <T>(work: () => T | Promise<T>) => Promise<T>;
}) {
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
    commit: announcements.commit,
    /** Announces the lines that an earlier process stored but did not announce. */
    async announceRest(): Promise<void> {
      const log = await open();
      const announced = await store.journal.lastOutputSeq(run.run_id);
      announcements.addLines({ firstSeq: announced + 1, count: log.lastSeq - announced });
    },
    /** The last lines of an attempt on standard error, as far as they are stored. */
    async lastErrors({ stepId, attempt }: { stepId: string; attempt: number }, count: number): Promise<string[]> {
      const query = { stepId, attempt, level: 'error', tail: count, limit: count } as const;
      const { lines } = await o.withRetry(() => store.logs.page(run.run_id, query));
      return lines.filter(({ stream }) => stream === 'stderr').map(({ message }) => message);
    },
    /** Adds a warning of the engine itself. */
    async note(at: { readonly stepId: string; readonly attempt: number }, message: string): Promise<void> {
      const log = await open();
      announcements.addLines(await o.withRetry(() => log.note({ ...at, message })));
    },
    /** Seals the log. This makes more lines readable, and the next commit announces them. */
    async close(): Promise<void> {
      const log = await opening;
      if (log) announcements.addLines(await o.withRetry(() => log.close()));
      announcements.pause();
    },
    /** Leaves the log open for the next process, which announces what could not be announced here. */
    async release(): Promise<void> {
      try {
        await (await opening)?.release();
        await announcements.flush();
      } finally {
        announcements.pause();
      }
    },
    /** Leaves the log and everything that is not announced yet to the process that has taken over the run. */
    async leave(): Promise<void> {
      announcements.pause();
      await (await opening)?.release();
    },
  };
}
