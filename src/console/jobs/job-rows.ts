// The rows of the Jobs page: what is known of each job, and which rows a filter leaves. The filter is in the URL.

import type { AnswerOf } from '../../contract/operations.ts';
import type { ListedStatus } from '../../domain/run.ts';
import { countOf } from '../words.ts';

type JobList = AnswerOf<'listJobs'>;
export type ListedJob = JobList['jobs'][number];
export type InvalidJob = JobList['invalid'][number];

type Numbers = AnswerOf<'getJobStats'>['jobs'][number];

type LastRun = Omit<Numbers['last_runs'][number], 'status'> & { readonly status: ListedStatus };

/** The numbers of the last 30 days, and the last ten runs. */
export type JobNumbers = Omit<Numbers, 'last_runs'> & { readonly last_runs: readonly LastRun[] };

export type JobRow = {
  readonly id: string;
  readonly namespace: string;
  /** null: its config.yaml is invalid. */
  readonly job: ListedJob | null;
  readonly invalid: InvalidJob | null;
  /** null: the job has never run. undefined: the numbers have not been read yet, or the caller may not read runs. */
  readonly numbers: JobNumbers | null | undefined;
  readonly change: number | null;
  /** null: no schedule starts the job. */
  readonly starts: Starts | null;
  readonly loading: Loading;
  readonly isFavourite: boolean;
};

/** What the schedules of a job do next, and what went wrong with them. */
export type Starts = {
  /** null: none of them has a time to come. */
  readonly nextAt: string | null;
  /** Why the schedules start nothing, in a word; empty if one of them starts runs. */
  readonly off: string;
  /** The newest time for which no run could be started; null if each schedule has started its last run. */
  readonly refused: { readonly at: string; readonly detail: string } | null;
};

/** Which answers are still being read for the first time. Until they arrive, rows are incomplete. */
export type Loading = { readonly numbers: boolean; readonly next: boolean };

/** How much the median of the last seven days differs from the median of the month, as a share of the latter. */
function changeOf({ duration: { p50_ms: medianMs }, daily_median_ms: daily }: JobNumbers): number | null {
  const week = daily.slice(-7).filter((ms) => ms !== null);
  if (week.length < leastDays || medianMs === null || medianMs === 0) return null;
  const sorted = week.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] ?? 0) / medianMs - 1;
}

/** "138 runs in 30 days": says what the numbers are based on. */
export function monthOf(runs: number): string {
  return `${countOf(runs, 'run')} in 30 days`;
}

/** With fewer days, a trend may be chance. */
export const leastDays = 3;
export const notableChange = 0.2;

export function rowsOf(
  { jobs, invalid }: JobList,
  known: {
    readonly numbers: ReadonlyMap<string, JobNumbers> | undefined;
    /** The ids of the runs that wait for an approval. */
    readonly asking: ReadonlySet<string>;
    readonly starts: ReadonlyMap<string, Starts>;
    readonly favourites: readonly string[];
    readonly loading: Loading;
  },
): readonly JobRow[] {
  const stars = new Set(known.favourites);
  const rowOf = (id: string, job: ListedJob | null, broken: InvalidJob | null): JobRow => {
    const numbers = known.numbers && withAsking(known.numbers.get(id) ?? null, known.asking);
    return {
      id,
      namespace: id.includes('/') ? id.slice(0, id.lastIndexOf('/')) : '',
      job,
      invalid: broken,
      numbers,
      change: numbers ? changeOf(numbers) : null,
      starts: known.starts.get(id) ?? null,
      loading: known.loading,
      isFavourite: stars.has(id),
    };
  };
  return [
    ...jobs.map((job) => rowOf(job.id, job, null)),
    ...invalid.map((broken) => rowOf(broken.id, null, broken)),
  ].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** Corrects the status of runs that wait for an approval, because they count as running in the numbers. */
function withAsking(numbers: JobNumbers | null, asking: ReadonlySet<string>): JobNumbers | null {
  if (!numbers?.last_runs.some(({ run_id: runId }) => asking.has(runId))) return numbers;
  return {
    ...numbers,
    last_runs: numbers.last_runs.map((run) =>
      run.status === 'running' && asking.has(run.run_id) ? { ...run, status: 'waiting_approval' } : run,
    ),
  };
}

export const views = ['all', 'favourites', 'failing', 'invalid', 'slower', 'never'] as const;
export type View = (typeof views)[number];

export function isInView(row: JobRow, view: View): boolean {
  const { numbers, invalid } = row;
  switch (view) {
    case 'favourites':
      return row.isFavourite;
    case 'failing':
      return isFailing(row);
    case 'invalid':
      return invalid !== null;
    case 'slower':
      return (row.change ?? 0) > notableChange;
    case 'never':
      return invalid === null && numbers !== undefined && !numbers?.last_runs.length && !isRefused(row);
    default:
      return true;
  }
}

/** Whether a view depends on the last runs of the jobs. */
export function needsNumbers(view: View): boolean {
  return view === 'failing' || view === 'slower' || view === 'never';
}

const isOpen: ReadonlySet<ListedStatus> = new Set(['pending', 'running', 'waiting_approval']);

/** Whether a schedule has failed to start a run since the last run was created. */
export function isRefused({ numbers, starts }: JobRow): boolean {
  const [last] = numbers?.last_runs ?? [];
  if (!starts?.refused) return false;
  return last === undefined || Date.parse(last.created_at) < Date.parse(starts.refused.at);
}

/** Whether the last run failed or could not start. Runs that have not ended are left out. */
export function isFailing(row: JobRow): boolean {
  if (isRefused(row)) return true;
  return row.numbers?.last_runs.find(({ status }) => !isOpen.has(status))?.status === 'failed';
}

export type Filter = {
  readonly view: View;
  readonly namespace: string;
  readonly tag: string;
  readonly text: string;
};

export function filterOf(asked: URLSearchParams): Filter {
  const view = views.find((one) => one === asked.get('show')) ?? 'all';
  return {
    view,
    namespace: asked.get('namespace') ?? '',
    tag: asked.get('tag') ?? '',
    text: asked.get('q') ?? '',
  };
}

/** The text that a search looks in, in lower case. */
function textOf({ id, job }: JobRow): string {
  const { title = null, description = null, tags = [], aliases = [] } = job ?? {};
  return [id, title ?? '', description ?? '', ...tags, ...aliases].join('\n').toLowerCase();
}

const texts = new WeakMap<object, string>();

/** The texts are cached by the object of the job, which stays the same until the job changes. */
function searchedText(row: JobRow): string {
  const key = row.job ?? row.invalid ?? row;
  const known = texts.get(key) ?? textOf(row);
  texts.set(key, known);
  return known;
}

export function matching(rows: readonly JobRow[], { view, namespace, tag, text }: Filter): readonly JobRow[] {
  const wanted = text.trim().toLowerCase();
  return rows.filter(
    (row) =>
      isInView(row, view) &&
      (namespace === '' || row.id.startsWith(`${namespace}/`)) &&
      // The tags of an invalid job are not known.
      (tag === '' || (row.job?.tags.includes(tag) ?? false)) &&
      (wanted === '' || searchedText(row).includes(wanted)),
  );
}
