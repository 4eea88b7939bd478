// The columns of the list of jobs.

import type { Column, Sort } from '../design/table/Table.tsx';
import { harmless } from '../words.ts';
import { InvalidCell, JobCell, LastRunCell, LastTen, Next, Rate, RunCell, Trend, Usual } from './JobCells.tsx';
import type { JobRow, ListedJob } from './job-rows.ts';
import { Star } from './Star.tsx';

export type OwnColumn = { readonly id: string; readonly head: string; readonly textOf: (job: ListedJob) => string };

/** Columns that a user can add. */
export const ownColumns: readonly OwnColumn[] = [
  { id: 'title', head: 'Title', textOf: ({ title }) => title ?? '' },
  { id: 'source', head: 'Source', textOf: ({ source }) => source },
  { id: 'profile', head: 'Profile', textOf: ({ security_profile: profile }) => profile },
  { id: 'version', head: 'Version', textOf: ({ version }) => version },
];

export const firstSort: Sort = { column: 'job', isDescending: false };

/** When the last run was created, for sorting. */
const lastAt = ({ numbers }: JobRow): number | null => {
  const [last] = numbers?.last_runs ?? [];
  return last ? Date.parse(last.created_at) : null;
};

/** A narrow window shows fewer columns, so that names keep 200 pixels beside the sidebar and the namespaces. */
const before: readonly Column<JobRow>[] = [
  { id: 'star', head: 'Favourite', isHeadUnseen: true, width: '40px', cell: ({ id }) => <Star jobId={id} /> },
  {
    id: 'job',
    head: 'Job',
    isDrawnAtSpeed: true,
    cell: (row) => (row.invalid ? <InvalidCell of={row.invalid} /> : <JobCell row={row} />),
    sortBy: ({ id }) => id,
  },
];

const after: readonly Column<JobRow>[] = [
  {
    id: 'last',
    head: 'Last run',
    width: '164px',
    isDrawnAtSpeed: true,
    cell: (row) => <LastRunCell row={row} />,
    sortBy: lastAt,
  },
  { id: 'ten', head: 'Last ten', width: '88px', cell: (row) => <LastTen row={row} /> },
  {
    id: 'success',
    head: 'Success',
    width: '72px',
    isNumber: true,
    cell: (row) => <Rate row={row} />,
    sortBy: ({ numbers }) => numbers?.success_rate ?? null,
  },
  {
    id: 'median',
    head: 'Median',
    width: '100px',
    isNumber: true,
    leavesBelowPx: 1264,
    cell: (row) => <Usual row={row} />,
    sortBy: ({ numbers }) => numbers?.duration.p50_ms ?? null,
  },
  {
    id: 'trend',
    head: 'Trend, 14 d',
    width: '130px',
    leavesBelowPx: 1396,
    cell: (row) => <Trend row={row} />,
    sortBy: ({ change }) => change,
  },
  {
    id: 'next',
    head: 'Next',
    width: '150px',
    leavesBelowPx: 900,
    cell: (row) => <Next row={row} />,
    sortBy: ({ starts }) => (starts?.nextAt ? Date.parse(starts.nextAt) : null),
  },
];

const run: Column<JobRow> = {
  id: 'run',
  head: 'Run',
  isHeadUnseen: true,
  width: '98px',
  isNumber: true,
  cell: (row) => <RunCell row={row} />,
};

export function jobColumns(added: readonly OwnColumn[], mayStart: boolean): readonly Column<JobRow>[] {
  const own = added.map(
    ({ id, head, textOf }): Column<JobRow> => ({
      id,
      head,
      width: id === 'title' ? '200px' : '100px',
      cell: ({ job }) => job && harmless(textOf(job)),
      sortBy: ({ job }) => (job ? textOf(job) : null),
    }),
  );
  return [...before, ...own, ...after, ...(mayStart ? [run] : [])];
}
