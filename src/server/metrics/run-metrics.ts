// Counts what happens to runs, from the events of the journal as they are committed.

import type { JournalEntry } from '../../domain/event.ts';
import type { Engine } from '../../engine/engine.ts';
import { createCounter, createHistogram, type Family, single } from './families.ts';

/**
 * How many jobs have series of their own. All further jobs count as `other`, so that the answer cannot grow without
 * end.
 */
const mostJobs = 1_000;
const otherJobs = 'other';

const waitBoundaries = [0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 1_800, 3_600];
const durationBoundaries = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400];

export function createRunMetrics({ hub, queue, health }: Pick<Engine, 'hub' | 'queue' | 'health'>): {
  readonly families: readonly Family[];
  readonly close: () => void;
} {
  const created = createCounter('flwd_runs_created_total', 'Runs created, by trigger.', ['trigger']);
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
    ['job_id', 'status'],
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
      if (durationMs !== undefined && durationMs !== null) duration.observe([job, status], durationMs / 1000);
    }
  }

  return {
    families: [
      created.family,
      finished.family,
      wait.family,
      duration.family,
      single('gauge', 'flwd_queue_depth', 'Runs that wait to start.', () => queue().depth),
      single(
        'gauge',
        'flwd_queue_stuck',
        'Whether the queue is full or fails to start runs that could start: 1 or 0.',
        () => (health().queue?.status === 'ok' ? 0 : 1),
      ),
      single('gauge', 'flwd_slots_taken', 'Slots that are taken by processes of steps.', () => queue().running),
      single('gauge', 'flwd_slots', 'Slots for processes of steps.', () => queue().globalConcurrency),
      single('gauge', 'flwd_journal_latest_id', 'The id of the newest event.', () => hub.latestId),
    ],
    close: hub.onEvents((entries) => {
      for (const entry of entries) count(entry);
    }),
  };
}
