// What happens to runs, counted from the journal's events as they are committed.

import type { JournalEntry } from '../../domain/event.ts';
import type { Engine } from '../../engine/engine.ts';
import { createCounter, createHistogram, type Family, single } from './families.ts';

/** Each has series of its own; what comes after so many is `other`, or a scrape would grow without end. */
const mostJobs = 1_000;
const otherJobs = 'other';

const waitBoundaries = [0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 1_800, 3_600];
const durationBoundaries = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400];

export function createRunMetrics({ hub, queue, health }: Pick<Engine, 'hub' | 'queue' | 'health'>): {
  readonly families: readonly Family[];
  readonly close: () => void;
} {
  const created = createCounter('flwd_runs_created_total', 'Runs created, by what started them.', ['trigger']);
  const finished = createCounter('flwd_runs_finished_total', 'Runs that have ended.', ['job_id', 'status', 'reason']);
  const wait = createHistogram(
    'flwd_run_wait_seconds',
    'Time from the creation of a run to its start.',
    [],
    waitBoundaries,
  );
  const duration = createHistogram(
    'flwd_run_duration_seconds',
    'Time from the start of a run to its end.',
    ['job_id'],
    durationBoundaries,
  );
  const jobs = new Set<string>();

  function jobLabel(jobId: string): string {
    if (jobs.has(jobId)) return jobId;
    if (jobs.size >= mostJobs) return otherJobs;
    jobs.add(jobId);
    return jobId;
  }

  function count(entry: JournalEntry): void {
    if (entry.type === 'run.created') {
      if (entry.data.trigger !== undefined) created.add([entry.data.trigger]);
    } else if (entry.type === 'run.started') {
      if (entry.data.waited_ms !== undefined) wait.observe([], entry.data.waited_ms / 1000);
    } else if (entry.type === 'run.finished') {
      const { status = '', reason, duration_ms: durationMs } = entry.data;
      const job = jobLabel(entry.jobId);
      finished.add([job, status, reason ?? '']);
      if (durationMs !== undefined && durationMs !== null) duration.observe([job], durationMs / 1000);
    }
  }

  return {
    families: [
      created.family,
      finished.family,
      wait.family,
      duration.family,
      single('gauge', 'flwd_queue_depth', 'Runs that wait for their start.', () => queue().depth),
      single('gauge', 'flwd_queue_stuck', 'Is the queue full, or does not start what could? 1 or 0.', () =>
        health().queue?.status === 'ok' ? 0 : 1,
      ),
      single('gauge', 'flwd_slots_taken', 'Processes of steps that hold a slot.', () => queue().running),
      single('gauge', 'flwd_slots', 'Processes of steps that may hold one at a time.', () => queue().globalConcurrency),
      single('gauge', 'flwd_journal_latest_id', 'The newest id of an event.', () => hub.latestId),
    ],
    close: hub.onEvents((entries) => {
      for (const entry of entries) count(entry);
    }),
  };
}
