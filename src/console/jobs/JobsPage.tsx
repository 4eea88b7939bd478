// The page of all jobs, invalid ones included: how their last runs went, how long they usually take, and when they run
// next.

import { Columns3, Plus } from 'lucide-react';
import { type ReactNode, useCallback, useDeferredValue, useMemo, useRef } from 'react';
import { useLocation, useSearch } from 'wouter';
import { denialWords } from '../../client/schedule-denial.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { useWaitingApprovals } from '../approvals/waiting-approvals.ts';
import { useTitle } from '../browser.ts';
import { Button, IconButton } from '../design/controls/Button.tsx';
import { Checkbox } from '../design/controls/Checkbox.tsx';
import { CopyButton } from '../design/controls/CopyButton.tsx';
import { SearchField } from '../design/controls/Input.tsx';
import { Popover } from '../design/controls/Popover.tsx';
import { Segmented } from '../design/controls/Segmented.tsx';
import { Select } from '../design/controls/Select.tsx';
import { type Sort, Table } from '../design/table/Table.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { useWidth } from '../design/width.ts';
import { nextTimes, type Schedule } from '../schedules/schedule-data.ts';
import { isLoading, useAnswer } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';
import { useScopes } from '../session/scopes.ts';
import { Loading, Shown } from '../widgets/Notes.tsx';
import { countWords } from '../words.ts';
import { useJobs } from './catalog.ts';
import { useFavourites } from './favourites.ts';
import { CompactJob } from './JobCells.tsx';
import styles from './JobsPage.module.css';
import { firstSort, jobColumns, type OwnColumn, ownColumns } from './job-columns.tsx';
import { useJobNumbers } from './job-numbers.ts';
import {
  type Filter,
  filterOf,
  type JobRow,
  matching,
  needsNumbers,
  rowsOf,
  type Starts,
  type View,
  views,
} from './job-rows.ts';
import { Namespaces } from './Namespaces.tsx';

/** In a narrower window, a menu replaces the column of namespaces. */
const namespacesPx = 1000;
const schedulesEveryMs = 30_000;
type OwnSchedules = ReadonlyMap<string, readonly Schedule[]>;
const noSchedules: OwnSchedules = new Map();
const newJob = 'flwd init jobs/hello';

const segments: readonly { readonly value: View; readonly label: string }[] = [
  { value: 'all', label: 'All' },
  { value: 'failing', label: 'Failing' },
  { value: 'slower', label: 'Slower' },
  { value: 'never', label: 'Never run' },
];

export function JobsPage(): ReactNode {
  useTitle('Jobs');
  const jobs = useJobs();
  return (
    <>
      <PageHeader title="Jobs" count={jobs.data && countWords(jobs.data.jobs.length + jobs.data.invalid.length)}>
        {jobs.data && <NewJob />}
      </PageHeader>
      <Shown of={jobs} what="jobs">
        {(answer) => (answer.jobs.length + answer.invalid.length === 0 ? <NoJobs /> : <Jobs answer={answer} />)}
      </Shown>
    </>
  );
}

function NewJob(): ReactNode {
  return (
    <Popover
      label="New job"
      align="end"
      trigger={
        <Button look="primary" icon={Plus}>
          New job
        </Button>
      }
    >
      <div className={styles.new}>
        <p>A job is a folder with a config.yaml in one of the sources. This command creates a job:</p>
        <Command />
      </div>
    </Popover>
  );
}

function Command(): ReactNode {
  return (
    <p className={styles.command}>
      <code>{newJob}</code>
      <CopyButton label="Copy the command" text={newJob} />
    </p>
  );
}

function NoJobs(): ReactNode {
  const { data } = useAnswer(['sources'], (client, signal) => client.call('listSources', { signal }));
  const folders = data?.sources.map(({ name, path }) => path ?? name) ?? [];
  return (
    <div className={styles.empty}>
      <h2>No jobs yet</h2>
      <p>
        A job is a folder with a <code>config.yaml</code>
        {folders.length > 0 && (
          <>
            {' '}
            in <code>{folders.join(', ')}</code>
          </>
        )}
        . This command creates a job:
      </p>
      <Command />
    </div>
  );
}

/**
 * What the schedules of each job do. Empty until the schedules have been read, because the list of jobs does not wait
 * for them.
 */
function useStarts() {
  const answer = useAnswer(
    ['schedules', 'enabled'],
    (client, signal) => client.call('listSchedules', { query: { enabled: true }, signal }),
    { refetchInterval: schedulesEveryMs, select: byJob },
  );
  const { data = noSchedules } = answer;
  const now = useNow(schedulesEveryMs);
  const last = useRef<ReadonlyMap<string, Starts>>(new Map());
  const starts = useMemo(() => {
    const next = new Map([...data].map(([id, own]) => [id, startsOf(own, now)]));
    // The map is replaced only if it has changed. Otherwise all rows would be made and sorted again every half minute.
    // That is the longest task of a list of 5,000 jobs.
    if (!isEqual(next, last.current)) last.current = next;
    return last.current;
  }, [data, now]);
  return { starts, isLoadingNext: isLoading(answer) };
}

function startsOf(own: readonly Schedule[], nowMs: number): Starts {
  const refused = own.flatMap(({ last_error: error }) => error ?? []).toSorted((a, b) => (a.at < b.at ? 1 : -1))[0];
  return {
    nextAt: nextTimes(own).find(({ at }) => Date.parse(at) > nowMs)?.at ?? null,
    off: own.every((one) => offWord(one) !== '') ? offWord(own[0]) : '',
    refused: refused === undefined ? null : { at: refused.at, detail: refused.detail },
  };
}

/** Why a schedule starts nothing, in a word; empty if it starts runs. */
function offWord(schedule: Schedule | undefined): string {
  if (!schedule) return '';
  if (schedule.denied) return denialWords(schedule.denied);
  if (schedule.paused) return 'Paused';
  return schedule.held ? 'Held' : '';
}

function isEqual(a: ReadonlyMap<string, Starts>, b: ReadonlyMap<string, Starts>): boolean {
  return (
    a.size === b.size &&
    [...a].every(([id, { nextAt, off, refused }]) => {
      const other = b.get(id);
      return other?.nextAt === nextAt && other.off === off && other.refused?.at === refused?.at;
    })
  );
}

function byJob({ schedules }: AnswerOf<'listSchedules'>): OwnSchedules {
  return Map.groupBy(schedules, ({ job_id: id }) => id);
}

/** The filter, the sort and the columns, as they are in the URL. */
function useAsked() {
  const [path, navigate] = useLocation();
  const search = useSearch();
  const asked = useMemo(() => new URLSearchParams(search), [search]);
  const change = useCallback(
    (changes: Readonly<Record<string, string>>): void => {
      const next = new URLSearchParams(search);
      for (const [name, value] of Object.entries(changes)) {
        if (value === '') next.delete(name);
        else next.set(name, value);
      }
      const query = next.toString();
      navigate(query === '' ? path : `${path}?${query}`, { replace: true });
    },
    [search, path, navigate],
  );
  return { asked, change };
}

type Change = ReturnType<typeof useAsked>['change'];

function Jobs({ answer }: { readonly answer: AnswerOf<'listJobs'> }): ReactNode {
  const { asked, change } = useAsked();
  const filter = filterOf(asked);
  const ofRuns = useJobNumbers();
  const { data: numbers } = ofRuns;
  const isLoadingNumbers = isLoading(ofRuns);
  const { starts, isLoadingNext } = useStarts();
  const { jobIds: favourites } = useFavourites();
  const approvals = useWaitingApprovals().data;
  const asking = useMemo(() => new Set(approvals?.approvals.map(({ run_id: runId }) => runId)), [approvals]);
  const rows = useMemo(() => {
    const loading = { numbers: isLoadingNumbers, next: isLoadingNext };
    return rowsOf(answer, { numbers, asking, starts, favourites, loading });
  }, [answer, numbers, asking, starts, favourites, isLoadingNumbers, isLoadingNext]);
  // Typed text is drawn at once, and the list follows when the browser has time.
  const deferred = useDeferredValue(asked);
  const found = useMemo(() => matching(rows, filterOf(deferred)), [rows, deferred]);
  const added = ownColumns.filter(({ id }) => asked.get('columns')?.split(',').includes(id));
  const mayStart = useScopes()('runs:write') !== false;
  const columns = useMemo(() => jobColumns(added, mayStart), [added.map(({ id }) => id).join(), mayStart]);
  const width = useWidth();
  return (
    <div className={styles.page}>
      {width >= namespacesPx && <Namespaces rows={rows} filter={filter} change={change} isLoading={isLoadingNumbers} />}
      <div className={styles.list}>
        <Toolbar rows={rows} filter={filter} change={change} added={added} isNarrow={width < namespacesPx} />
        <p className="unseen" role="status">
          {found.length} of {rows.length} jobs{isLoadingNumbers && '. Their last runs are loading.'}
        </p>
        {found.length === 0 ? (
          isLoadingNumbers && needsNumbers(filter.view) ? (
            <Loading what="the last runs" />
          ) : (
            <p className={styles.none}>No job matches.</p>
          )
        ) : (
          <Table
            label="Jobs"
            rows={found}
            columns={columns}
            keyOf={keyOf}
            compact={compact}
            sort={sortOf(asked)}
            onSort={({ column, isDescending }) => change({ sort: `${isDescending ? '-' : ''}${column}` })}
            rowRem={1.9375}
            reusesRows
            headTop="calc(var(--header) + 3rem)"
          />
        )}
      </div>
    </div>
  );
}

const keyOf = ({ id }: JobRow): string => id;
const compact = (row: JobRow): ReactNode => <CompactJob row={row} />;

function sortOf(asked: URLSearchParams): Sort {
  const written = asked.get('sort') ?? '';
  const column = written.replace(/^-/, '');
  return column === '' ? firstSort : { column, isDescending: written.startsWith('-') };
}

function Toolbar(o: {
  readonly rows: readonly JobRow[];
  readonly filter: Filter;
  readonly change: Change;
  readonly added: readonly OwnColumn[];
  readonly isNarrow: boolean;
}): ReactNode {
  const { filter, change, added } = o;
  const tags = useMemo(() => [...new Set(o.rows.flatMap(({ job }) => job?.tags ?? []))].toSorted(), [o.rows]);
  const show = (view: View): void => change({ show: view === 'all' ? '' : view });
  return (
    <div className={styles.toolbar}>
      <div className={styles.search}>
        <SearchField
          label="Search jobs"
          placeholder="Name, title, description or tag"
          value={filter.text}
          onChange={(text) => change({ q: text })}
        />
      </div>
      {o.isNarrow ? (
        <Select
          label="Show"
          size="form"
          value={filter.view}
          onChange={show}
          choices={views.map((view) => ({ value: view, label: viewNames[view] }))}
        />
      ) : (
        <>
          <Segmented label="Show" choices={segments} value={filter.view} onChange={show} />
          {tags.length > 0 && (
            <Select
              label="Tag"
              value={filter.tag}
              onChange={(tag) => change({ tag })}
              choices={[{ value: '', label: 'Any tag' }, ...tags.map((tag) => ({ value: tag, label: tag }))]}
            />
          )}
          <span className={styles.note}>success rate and median of 30 d</span>
          <Popover label="Columns" align="end" trigger={<IconButton icon={Columns3} label="Columns" />}>
            <div className={styles.columns}>
              {ownColumns.map((column) => (
                <Checkbox
                  key={column.id}
                  label={column.head}
                  checked={added.includes(column)}
                  onChange={(isShown) =>
                    change({
                      columns: ownColumns
                        .filter((one) => (one === column ? isShown : added.includes(one)))
                        .map(({ id }) => id)
                        .join(),
                    })
                  }
                />
              ))}
            </div>
          </Popover>
        </>
      )}
    </div>
  );
}

const viewNames: Readonly<Record<View, string>> = {
  all: 'All',
  favourites: 'Favourites',
  failing: 'Failing',
  invalid: 'Invalid',
  slower: 'Slower',
  never: 'Never run',
};
