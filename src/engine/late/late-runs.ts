// Watches the runs of jobs that expect a duration. Looks at each run when its time is up.

import { autoDurationMs, type Expectation } from '../../domain/outcome/late.ts';
import { formatDuration } from '../../lib/units.ts';
import type { NewLate } from '../../store/late.ts';
import type { Expecting, LateParts, MayReturn } from './late-parts.ts';

type Started = { readonly runId: string; readonly jobId: string; readonly tenant: string };
type Due = Started & { readonly startedAtMs: number; readonly allowedMs: number; readonly dueAtMs: number };

export type RunWatch = ReturnType<typeof createRunWatch>;

/** How long to wait before looking again at a run that waits for an approval. Its wait does not count as work. */
const askingAgainMs = 10_000;

export function createRunWatch(
  o: Pick<LateParts, 'store' | 'clock'> & { readonly add: (late: NewLate) => Promise<boolean> },
) {
  const { store, clock } = o;
  let durations = new Map<string, NonNullable<Expectation['durationMs']>>();
  const due = new Map<string, Due>();
  let fresh: (Started & { readonly startedAtMs: number })[] = [];
  /** When to look at the next run. */
  let nextMs = Infinity;

  async function allowedOf(run: Started): Promise<number | null> {
    const durationMs = durations.get(run.jobId) ?? null;
    return durationMs === 'auto' ? autoDurationMs(await store.runs.recentWork(run)) : durationMs;
  }

  async function takeFresh(): Promise<void> {
    const runs = fresh;
    fresh = [];
    for (const run of runs) {
      const allowedMs = await allowedOf(run);
      if (allowedMs !== null) due.set(run.runId, { ...run, allowedMs, dueAtMs: run.startedAtMs + allowedMs });
    }
    nextMs = nextOf(due);
  }

  async function check(run: Due, nowMs: number): Promise<void> {
    const { runId, jobId, tenant, startedAtMs, allowedMs } = run;
    const found = await store.runs.summary(runId);
    if (found?.status !== 'running') return void due.delete(runId);
    const worksUntilMs = startedAtMs + found.approval_ms + allowedMs;
    const isAsking = found.waiting_approval.length > 0;
    if (isAsking || worksUntilMs > nowMs)
      return void due.set(runId, { ...run, dueAtMs: isAsking ? nowMs + askingAgainMs : worksUntilMs });
    const workedMs = nowMs - startedAtMs - found.approval_ms;
    const detail =
      durations.get(jobId) === 'auto'
        ? `It was still running after ${formatDuration(wholeSeconds(workedMs))} of work, more than twice as long as nearly all of the job’s last successes.`
        : `It was still running after ${formatDuration(allowedMs)} of work, which is the most it should take.`;
    await o.add({ tenant, jobId, kind: 'duration', key: runId, atMs: nowMs, runId, scheduleId: null, detail });
    due.delete(runId);
  }

  return {
    async watch(jobs: readonly Expecting[], mayReturn: MayReturn): Promise<void> {
      const kept = [...durations].filter(([jobId]) => mayReturn(jobId));
      durations = new Map(kept);
      for (const { jobId, expect } of jobs) if (expect.durationMs) durations.set(jobId, expect.durationMs);
      due.clear();
      fresh = durations.size === 0 ? [] : (await store.late.running()).filter(({ jobId }) => durations.has(jobId));
      await takeFresh();
    },
    started(run: Started): void {
      if (durations.has(run.jobId)) fresh.push({ ...run, startedAtMs: clock.now() });
    },
    ended: (runId: string) => void due.delete(runId),
    async look(nowMs: number): Promise<void> {
      if (fresh.length > 0) await takeFresh();
      if (nowMs < nextMs) return;
      for (const run of due.values()) if (run.dueAtMs <= nowMs) await check(run, nowMs);
      nextMs = nextOf(due);
    },
  };
}

function nextOf(due: ReadonlyMap<string, Due>): number {
  let next = Infinity;
  for (const { dueAtMs } of due.values()) next = Math.min(next, dueAtMs);
  return next;
}

function wholeSeconds(ms: number): number {
  return ms < 1_000 ? ms : Math.floor(ms / 1_000) * 1_000;
}
