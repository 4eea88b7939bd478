// The page of all runs. It has a query and saved filters, which are in the URL, and a live, endless table. Runs in the
// table can be cancelled, compared or run again together.

import { Layers } from 'lucide-react';
import { type ReactNode, useCallback, useEffect, useEffectEvent, useMemo, useRef, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { errorText } from '../../client/error-words.ts';
import { useTitle } from '../browser.ts';
import { Button } from '../design/controls/Button.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { failureText, useAnswer } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';
import { longestAnswerMs } from '../session/session.tsx';
import { Empty, ErrorNote, isRefused, Loading, Refused, retryOf } from '../widgets/Notes.tsx';
import { harmless, type RunRow } from '../words.ts';
import { BulkBar } from './BulkBar.tsx';
import type { KnownValues } from './completions.ts';
import { Histogram } from './Histogram.tsx';
import { type RunQuery, useLiveRuns } from './live-runs.ts';
import { QueryField } from './QueryField.tsx';
import styles from './RunsPage.module.css';
import { RunTable } from './RunTable.tsx';
import { readRunQuery, withFilters } from './run-query.ts';
import type { RunRows } from './run-rows.ts';
import { amountWords, SavedFilters, SaveFilter, topLevel } from './SavedFilters.tsx';

export function RunsPage(): ReactNode {
  useTitle('Runs');
  const asked = new URLSearchParams(useSearch());
  const [, navigate] = useLocation();
  const text = asked.get('q') ?? '';
  const isTopLevel = asked.get('sub') !== 'yes';
  const pathOf = (next: string, hasSubRuns = !isTopLevel): string => {
    const query = new URLSearchParams({ ...(next.trim() !== '' && { q: next }), ...(hasSubRuns && { sub: 'yes' }) });
    return query.size === 0 ? '/runs' : `/runs?${query}`;
  };
  const show = (next: string): void => navigate(pathOf(next), { replace: true });
  const minute = Math.floor(useNow(10_000) / 60_000);
  const { query, errors } = useMemo(() => readRunQuery(text, minute * 60_000), [text, minute]);
  const whole = useMemo(() => ({ ...query, ...topLevel(isTopLevel) }), [query, isTopLevel]);
  const [counted, setCounted] = useState('');
  const known = useKnownValues();
  return (
    <>
      <PageHeader title="Runs" isLive={errors.length === 0}>
        <Button
          look="quiet"
          icon={Layers}
          aria-pressed={isTopLevel}
          title="Leaves out sub-runs, which are runs that a step of another run started"
          onClick={() => navigate(pathOf(text, isTopLevel), { replace: true })}
        >
          {isTopLevel ? 'Top level only' : 'With sub-runs'}
        </Button>
        <SaveFilter text={text} />
      </PageHeader>
      <div className={styles.query}>
        <QueryField text={text} onChange={show} known={known} count={counted} />
        <SavedFilters text={text} isTopLevel={isTopLevel} pathOf={pathOf} />
      </div>
      {errors.length > 0 ? (
        errors.map((error) => <ErrorNote key={error} text={error} />)
      ) : (
        <>
          <Histogram query={whole} choose={(fromMs, toMs) => show(withinTimes(text, fromMs, toMs))} />
          <Runs key={`${text} ${isTopLevel}`} query={whole} onCount={setCounted} />
        </>
      )}
    </>
  );
}

/** Limits the query to these times. */
function withinTimes(text: string, fromMs: number, toMs: number): string {
  return withFilters(text, { since: localMinute(fromMs), until: toMs > Date.now() ? null : localMinute(toMs) });
}

/** Formats a time as a user would type it. */
function localMinute(ms: number): string {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** What the completion offers: jobs and namespaces of the catalog, labels and people of the last runs. */
function useKnownValues(): KnownValues {
  const { data: jobs } = useAnswer(
    ['job ids'],
    async (client, signal) =>
      (await client.call('listJobs', { signal })).jobs.map(({ id, source }) => ({ id, source })),
    { staleTime: 60_000 },
  );
  const { data: runs } = useAnswer(
    ['known values'],
    async (client, signal) => (await client.call('listRuns', { query: { limit: 500 }, signal })).runs,
    { staleTime: 60_000 },
  );
  return useMemo(() => {
    const ids = (jobs ?? []).map(({ id }) => id);
    const namespaces = ids.flatMap((id) => (id.includes('/') ? [`${id.slice(0, id.lastIndexOf('/'))}/`] : []));
    const labels = (runs ?? []).flatMap((run) =>
      Object.entries(run.labels).flatMap(([key, value]) => [key, `${key}=${value}`]),
    );
    return {
      job: [...new Set([...namespaces, ...ids])],
      source: [...new Set((jobs ?? []).map(({ source }) => source))],
      label: labels,
      '-label': labels,
      by: (runs ?? []).map((run) => run.created_by),
      tenant: (runs ?? []).map((run) => run.tenant),
    };
  }, [jobs, runs]);
}

function Runs({ query, onCount }: { readonly query: RunQuery; readonly onCount: (words: string) => void }): ReactNode {
  const { newest, cancel, readOlder, chosen, choose } = useLiveRuns(query);
  const { data: held } = newest;
  const failure = failureText(newest);
  const error =
    failure !== null &&
    (isRefused(newest) ? <Refused of={newest} /> : <ErrorNote text={failure} retry={retryOf(newest)} />);
  const words = held ? `${amountWords(held)} ${held.total === 1 ? 'run' : 'runs'}` : '';
  useEffect(() => onCount(words), [words, onCount]);
  if (!held) return error || <Loading what="runs" />;
  return (
    <>
      {error}
      {held.rows.length === 0 && held.cursor === null ? (
        <NoRuns query={query} />
      ) : (
        <Gathered held={held} chosen={chosen} choose={choose} />
      )}
      {held.cursor !== null && <More key={held.cursor} cursor={held.cursor} read={readOlder} />}
      <BulkBar rows={held.rows} chosen={chosen} choose={choose} cancel={cancel} />
    </>
  );
}

/** New rows that arrive while the user reads further down are hidden behind a button, so that nothing moves. */
function Gathered(o: {
  readonly held: RunRows;
  readonly chosen: ReadonlySet<string>;
  readonly choose: (runIds: readonly string[], isChosen: boolean) => void;
}): ReactNode {
  const { rows } = o.held;
  const isAway = useScrolledAway();
  const topId = useRef<string | undefined>(undefined);
  const at = isAway ? rows.findIndex(({ run_id: id }) => id === topId.current) : 0;
  const hidden = Math.max(0, at);
  useEffect(() => {
    if (!isAway) topId.current = rows[0]?.run_id;
  }, [isAway, rows]);
  const shown: readonly RunRow[] = hidden === 0 ? rows : rows.slice(hidden);
  return (
    <>
      {hidden > 0 && (
        <div className={styles.news}>
          <Button size="small" onClick={() => scrollTo({ top: 0 })}>
            {hidden} new
          </Button>
        </div>
      )}
      <RunTable rows={shown} chosen={o.chosen} choose={o.choose} />
    </>
  );
}

const awayPx = 40;

function useScrolledAway(): boolean {
  const [isAway, setAway] = useState(() => scrollY > awayPx);
  useEffect(() => {
    const note = (): void => setAway(scrollY > awayPx);
    addEventListener('scroll', note, { passive: true });
    return () => removeEventListener('scroll', note);
  }, []);
  return isAway;
}

function NoRuns({ query }: { readonly query: RunQuery }): ReactNode {
  const { top_level: isTopLevel, ...filters } = query;
  const job = query.job_id;
  const isAll = Object.keys(filters).length === 0;
  return (
    <Empty>
      <p>
        {isAll ? 'No runs yet. Start a job on its page or with flwd run, or give it a schedule.' : 'No runs match.'}
      </p>
      {!isAll && isTopLevel && <p>Sub-runs (runs that a step of another run started) are left out.</p>}
      {job !== undefined && (
        <p>
          <code>job:</code> needs the whole id of a job, such as <code>backup/daily</code>, or a namespace, such as{' '}
          <code>backup/</code>. To match part of an id, search for{' '}
          <Link href={`/runs?q=${encodeURIComponent(job)}`}>{harmless(job)}</Link> without it.
        </p>
      )}
    </Empty>
  );
}

/**
 * Reads the next page of runs when the end of the list comes into view. Each page has its own instance of this
 * component.
 */
function More(o: {
  readonly cursor: string;
  readonly read: (cursor: string, signal: AbortSignal) => Promise<void>;
}): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const [error, setError] = useState<string | null>(null);
  const isReading = useRef(false);
  const more = useCallback(async (): Promise<void> => {
    if (isReading.current) return;
    isReading.current = true;
    setError(null);
    await o.read(o.cursor, AbortSignal.timeout(longestAnswerMs)).catch((error: unknown) => setError(errorText(error)));
    isReading.current = false;
  }, [o.cursor, o.read]);
  const onNear = useEffectEvent(() => void more());
  useEffect(() => {
    const shown = place.current;
    if (!shown) return undefined;
    const watch = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && onNear(), {
      rootMargin: '1200px',
    });
    watch.observe(shown);
    return () => watch.disconnect();
  }, []);
  return (
    <div className={styles.more} ref={place}>
      {error !== null && <ErrorNote text={error} />}
      <Button look="quiet" onClick={() => void more()}>
        More
      </Button>
    </div>
  );
}
