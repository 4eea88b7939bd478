// Triggers: the jobs that start when runs of other jobs end, when files appear, or when a check finds something. Their
// job files define them.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { AnswerOf } from '../../contract/operations.ts';
import { lacksWords } from '../../domain/trigger/webhook-notes.ts';
import { formatDuration } from '../../lib/units.ts';
import { type Column, Table } from '../design/table/Table.tsx';
import { Chip } from '../design/text/Chip.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { Age } from '../design/text/Time.tsx';
import { useAnswer } from '../session/answers.tsx';
import { Empty, Shown } from '../widgets/Notes.tsx';
import { harmless, runPath } from '../words.ts';
import styles from './Admin.module.css';
import { JobLine } from './JobLink.tsx';

type Trigger = AnswerOf<'listTriggers'>['triggers'][number];

/** The height of a row on phones. */
const threeLinesRem = 5;

export function TriggersPage(): ReactNode {
  const triggers = useAnswer(['triggers'], (client, signal) => client.call('listTriggers', { signal }));
  return (
    <>
      <PageHeader title="Triggers" count={triggers.data?.total} />
      <Shown of={triggers} what="triggers">
        {({ triggers: rows }) =>
          rows.length === 0 ? (
            <Empty>
              No triggers yet. A trigger starts a job after a run of another job, for a new file, or when a check finds
              something. Add one under <code>triggers</code> in the config.yaml of the job.
            </Empty>
          ) : (
            <Table
              label="Triggers"
              rows={rows}
              columns={columns}
              keyOf={({ id }) => id}
              compactRem={threeLinesRem}
              compact={(trigger) => (
                <div className={styles.compact}>
                  <JobLine id={trigger.job_id} />
                  <span className={styles.quiet}>{whenOf(trigger)}</span>
                  <span className={`${styles.wholeLine} ${styles.inLine}`}>
                    <Followed of={trigger} />
                  </span>
                  <span className={styles.wholeLine}>
                    <Last of={trigger} />
                  </span>
                </div>
              )}
            />
          )
        }
      </Shown>
    </>
  );
}

const columns: readonly Column<Trigger>[] = [
  { id: 'starts', head: 'Starts', cell: ({ job_id: id }) => <JobLine id={id} /> },
  { id: 'after', head: 'After', cell: (trigger) => <Followed of={trigger} /> },
  { id: 'on', head: 'When', width: '160px', cell: whenOf },
  {
    id: 'if',
    head: 'Only if',
    leavesBelowPx: 1_180,
    cell: ({ if: condition }) => condition !== null && <code title={harmless(condition)}>{harmless(condition)}</code>,
  },
  { id: 'last', head: 'Last result', width: '40%', cell: (trigger) => <Last of={trigger} /> },
];

/** Says when the trigger fires: how long files must be unchanged, how often it checks, or on which results of a run. */
function whenOf({ on, files, check }: Trigger): string {
  if (files) return `unchanged for ${formatDuration(files.settle_ms)}`;
  return check ? `every ${formatDuration(check.every_ms)}` : on.join(', ');
}

function Followed({ of: { job, job_exists: exists, files, check } }: { readonly of: Trigger }): ReactNode {
  if (files) return <code>{harmless(`${files.folder}/${files.match}`)}</code>;
  if (check) return <code>{harmless(check.command.join(' '))}</code>;
  if (job === null) return null;
  return exists ? <JobLine id={job} /> : <span className={styles.error}>{harmless(job)}: this job does not exist</span>;
}

/** Shows why the trigger starts no runs, or else its newest result. */
function Last({ of }: { readonly of: Trigger }): ReactNode {
  const { denied, missing_secrets: missing, last_look: look, last_result: last } = of;
  const lacks = missing.length === 0 ? null : lacksWords(missing, { source: 'job' });
  const wrong = denied?.detail ?? lacks ?? look?.problem ?? null;
  if (wrong !== null)
    return (
      <span className={`${styles.cut} ${styles.error}`} title={harmless(wrong)}>
        {harmless(wrong)}
      </span>
    );
  if (!last) return <span className={styles.quiet}>nothing yet</span>;
  const why = last.detail ?? last.problem;
  return (
    <span className={styles.inLine}>
      <Chip look={last.problem === null ? 'plain' : 'failed'}>{last.result}</Chip>
      {last.run_id === null ? (
        <Age at={last.at} />
      ) : (
        <Link href={runPath(last.run_id)}>
          <Age at={last.at} />
        </Link>
      )}
      {why !== null && (
        <span className={`${styles.cut} ${styles.error}`} title={harmless(why)}>
          {harmless(why)}
        </span>
      )}
    </span>
  );
}
