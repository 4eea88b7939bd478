// What makes jobs fail: one row for all runs of a job that failed with the same message, the most recent failure first.

import { CircleCheck } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { revisionWords } from '../../client/revision-words.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { useTitle } from '../browser.ts';
import { Segmented } from '../design/controls/Segmented.tsx';
import { type Column, Table } from '../design/table/Table.tsx';
import { Chip } from '../design/text/Chip.tsx';
import { JobName } from '../design/text/JobName.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { Age } from '../design/text/Time.tsx';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useRunEvents } from '../session/streams.ts';
import { Empty, Shown } from '../widgets/Notes.tsx';
import { codePath, countOf, countWords, errorWords, harmless, jobPath, runPath } from '../words.ts';
import styles from './FailuresPage.module.css';

type List = AnswerOf<'listFailures'>;
type Failure = List['failures'][number];
type View = 'unfixed' | 'all';

const most = 500;
const neverFailed = 'No run has failed.';
const allFixed = 'Every job that failed has succeeded since. “All” shows the failures that are fixed.';

export function FailuresPage(): ReactNode {
  useTitle('Failures');
  const [, navigate] = useLocation();
  const view: View = new URLSearchParams(useSearch()).get('view') === 'all' ? 'all' : 'unfixed';
  const refresh = useRefresh();
  useRunEvents({}, { change: () => refresh({ queryKey: ['failures'] }) });
  const answer = useAnswer<List>(['failures', view], (client, signal) =>
    client.call('listFailures', { query: { limit: most, ...(view === 'unfixed' && { state: view }) }, signal }),
  );
  const count = answer.data?.failures.length;
  return (
    <>
      <PageHeader title="Failures" count={count !== undefined && countWords(count)} isLive={answer.data !== undefined}>
        <Segmented
          label="Which failures"
          value={view}
          onChange={(next) => navigate(next === 'all' ? '/failures?view=all' : '/failures', { replace: true })}
          choices={[
            { value: 'unfixed', label: 'Not fixed' },
            { value: 'all', label: 'All' },
          ]}
        />
      </PageHeader>
      <Shown of={answer} what="failures">
        {({ failures }) =>
          failures.length === 0 ? (
            <Nothing view={view} />
          ) : (
            <Table label="Failures" rows={failures} columns={columns} keyOf={keyOf} compact={compact} rowRem={3.125} />
          )
        }
      </Shown>
    </>
  );
}

function Nothing({ view }: { readonly view: View }): ReactNode {
  const fixed = useAnswer<List>(
    ['failures', 'any'],
    (client, signal) => client.call('listFailures', { query: { limit: 1 }, signal }),
    // The answer is not cached, because it would be outdated after the next failure.
    { enabled: view === 'unfixed', gcTime: 0 },
  );
  if (view === 'all') return <Good words={neverFailed} />;
  return (
    <Shown of={fixed} what="failures">
      {({ failures }) => <Good words={failures.length === 0 ? neverFailed : allFixed} />}
    </Shown>
  );
}

function Good({ words }: { readonly words: string }): ReactNode {
  return (
    <Empty>
      <CircleCheck size={16} aria-hidden="true" />
      <p>{words}</p>
    </Empty>
  );
}

function keyOf({ tenant, job_id: jobId, fingerprint }: Failure): string {
  return `${tenant} ${jobId} ${fingerprint}`;
}

const stateWords: Readonly<Record<Failure['state'], string>> = { open: 'open', fixed: 'fixed', regressed: 'came back' };

function State({ of }: { readonly of: Failure['state'] }): ReactNode {
  return <Chip look={of === 'fixed' ? 'plain' : 'failed'}>{stateWords[of]}</Chip>;
}

const columns: readonly Column<Failure>[] = [
  {
    id: 'why',
    head: 'Job, and why it fails',
    cell: (failure) => (
      <span className={styles.why}>
        <Link href={jobPath(failure.job_id)} className={styles.job}>
          <JobName id={failure.job_id} />
        </Link>
        <Sample of={failure} />
      </span>
    ),
  },
  { id: 'state', head: 'State', width: '104px', cell: ({ state }) => <State of={state} /> },
  { id: 'count', head: 'Times', width: '72px', isNumber: true, cell: ({ count }) => countWords(count) },
  {
    id: 'first',
    head: 'Since',
    width: '120px',
    leavesBelowPx: 900,
    cell: (failure) => <Since of={failure} />,
  },
  {
    id: 'last',
    head: 'Last run',
    width: '120px',
    cell: ({ last_run: { run_id: runId, at } }) => (
      <Link href={runPath(runId)} data-row>
        <Age at={at} />
      </Link>
    ),
  },
];

/** Links to the first run with this failure, and to the job's files as they were then. */
function Since({ of: { job_id: jobId, first_run: first } }: { readonly of: Failure }): ReactNode {
  const { run_id: runId, at, revision } = first;
  return (
    <span className={styles.since}>
      <Link href={runPath(runId)}>
        <Age at={at} />
      </Link>
      {revision !== null && (
        <Link href={codePath(jobId, revision)} className={styles.revision} title={revision}>
          {revisionWords(revision)}
        </Link>
      )}
    </span>
  );
}

/** The message, as the program wrote it. */
function Sample({ of: { sample } }: { readonly of: Failure }): ReactNode {
  const text = harmless(errorWords(sample));
  return (
    <span className={styles.sample} title={text}>
      {text}
    </span>
  );
}

function compact(failure: Failure): ReactNode {
  return (
    <span className={styles.why}>
      <Link href={runPath(failure.last_run.run_id)} data-row className={styles.job}>
        <JobName id={failure.job_id} />
        <State of={failure.state} />
        <span className={styles.times}>
          {countOf(failure.count, 'time')}, <Age at={failure.last_run.at} />
        </span>
      </Link>
      <Sample of={failure} />
    </span>
  );
}
