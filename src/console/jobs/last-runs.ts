// How the last runs of jobs went, of those jobs alone whose rows are drawn: asked for when a row comes, and again when
// something has happened to a run of its job.

import { useCallback, useEffect, useMemo, useSyncExternalStore } from 'react';
import type { Client } from '../../client/client.ts';
import { isPassing } from '../../client/error-words.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { useClient } from '../session/session.tsx';
import { useRunEvents } from '../session/streams.ts';

/** Newest first. */
type Runs = NonNullable<AnswerOf<'listJobs'>['jobs'][number]['last_runs']>;

export type LastRuns = {
  /** undefined: not known, or not this caller's to know. */
  readonly of: (jobId: string) => Runs | undefined;
  /** Keeps them up to date. @returns ends that */
  readonly watch: (jobId: string, onChange: () => void) => () => void;
  readonly touch: (jobId: string) => void;
  readonly touchAll: () => void;
  readonly open: () => void;
  readonly close: () => void;
};

const shown = 8;
/** A job that runs every moment is not asked about every moment. */
const settleMs = 1_000;
const retryMs = 2_000;
/** Ids stand in the request's line. */
const mostIds = 100;
const mostChars = 6_000;
const telling = new Set(['run.created', 'run.started', 'run.finished']);

function createLastRuns(client: Client): LastRuns {
  const known = new Map<string, Runs | undefined>();
  const watchers = new Map<string, Set<() => void>>();
  const wanted = new Set<string>();
  let ending = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isReading = false;

  function want(jobId: string, inMs: number): void {
    wanted.add(jobId);
    if (isReading || ending.signal.aborted) return;
    timer ??= setTimeout(() => void readWanted(), inMs);
  }

  async function readWanted(): Promise<void> {
    timer = undefined;
    isReading = true;
    const { signal } = ending;
    let pauseMs = settleMs;
    while (wanted.size > 0 && !signal.aborted) {
      const ids = nextIds(wanted);
      try {
        const query = { ids: ids.join(','), last_runs: shown };
        const { jobs } = await client.call('listJobs', { query, signal });
        const found = new Map(jobs.map((job) => [job.id, job.last_runs]));
        for (const id of ids) {
          known.set(id, found.get(id));
          for (const onChange of watchers.get(id) ?? []) onChange();
        }
      } catch (error) {
        // What is no passing error is said by the list of jobs, too.
        if (isPassing(error)) for (const id of ids) wanted.add(id);
        pauseMs = retryMs;
        break;
      }
    }
    isReading = false;
    const [left] = wanted;
    if (left !== undefined) want(left, pauseMs);
  }

  return {
    of: (jobId) => known.get(jobId),
    watch(jobId, onChange) {
      const own = watchers.get(jobId) ?? new Set();
      watchers.set(jobId, own.add(onChange));
      if (!known.has(jobId)) want(jobId, 0);
      return () => {
        own.delete(onChange);
        if (own.size > 0) return;
        watchers.delete(jobId);
        wanted.delete(jobId);
      };
    },
    touch(jobId) {
      if (watchers.has(jobId)) want(jobId, settleMs);
      else known.delete(jobId);
    },
    touchAll() {
      for (const jobId of known.keys()) this.touch(jobId);
    },
    open() {
      ending = new AbortController();
      for (const jobId of watchers.keys()) if (!known.has(jobId)) want(jobId, 0);
    },
    close() {
      ending.abort();
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

/** Takes as many out of the set as one request bears. */
function nextIds(wanted: Set<string>): string[] {
  const ids: string[] = [];
  let chars = 0;
  for (const id of wanted) {
    chars += encodeURIComponent(id).length + 3;
    if (ids.length > 0 && (ids.length === mostIds || chars > mostChars)) break;
    ids.push(id);
    wanted.delete(id);
  }
  return ids;
}

export function useLastRuns(): LastRuns {
  const client = useClient();
  const lastRuns = useMemo(() => createLastRuns(client), [client]);
  useEffect(() => {
    lastRuns.open();
    return () => lastRuns.close();
  }, [lastRuns]);
  useRunEvents(
    {},
    {
      frame({ event, data }) {
        if (telling.has(event) && typeof data.job_id === 'string') lastRuns.touch(data.job_id);
      },
      open: () => lastRuns.touchAll(),
    },
  );
  return lastRuns;
}

export function useLastRunsOf(lastRuns: LastRuns, jobId: string): Runs | undefined {
  const watch = useCallback((onChange: () => void) => lastRuns.watch(jobId, onChange), [lastRuns, jobId]);
  return useSyncExternalStore(watch, () => lastRuns.of(jobId));
}
