// Two runs side by side: how they ended, their arguments, the times of their steps, and the first line of their logs
// that differs. Rows that differ are marked.

import { ArrowLeftRight } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { findLogDifference, type Line, type LogDifference } from '../../client/log-difference.ts';
import {
  type ComparedArgument,
  comparedArguments,
  comparedFacts,
  comparedSteps,
  type Difference,
  differs,
} from '../../client/run-differences.ts';
import { tookMs } from '../../client/took.ts';
import { useTitle } from '../browser.ts';
import { Button } from '../design/controls/Button.tsx';
import { HeadRow } from '../design/table/HeadRow.tsx';
import { Card } from '../design/text/Card.tsx';
import { Chip } from '../design/text/Chip.tsx';
import { JobName } from '../design/text/JobName.tsx';
import { PageBody, PageHeader } from '../design/text/PageHeader.tsx';
import { StatusText } from '../design/text/Status.tsx';
import { Time } from '../design/text/Time.tsx';
import { valueWords } from '../run/run-words.ts';
import { stepTime } from '../run/steps/step-words.ts';
import { failureText, useAnswer } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';
import { Empty, ErrorNote, Loading, Shown } from '../widgets/Notes.tsx';
import {
  countWords,
  errorWords,
  harmless,
  originWords,
  type Run,
  reasonWords,
  runPath,
  runTitle,
  statusLooks,
} from '../words.ts';
import styles from './ComparePage.module.css';
import { comparePath } from './compare-path.ts';

export function ComparePage(): ReactNode {
  useTitle('Compare');
  const asked = new URLSearchParams(useSearch());
  const [a, b] = [asked.get('a'), asked.get('b')];
  const [, navigate] = useLocation();
  return (
    <>
      <PageHeader title="Compare" before={<Link href="/runs">Runs</Link>}>
        {a !== null && b !== null && (
          <Button icon={ArrowLeftRight} onClick={() => navigate(comparePath(b, a), { replace: true })}>
            Swap
          </Button>
        )}
      </PageHeader>
      <PageBody>
        {a === null || b === null ? (
          <Empty>
            <p>
              Choose two runs on the page <Link href="/runs">Runs</Link> with <kbd>x</kbd>, then Compare.
            </p>
          </Empty>
        ) : (
          <Compared key={`${a} ${b}`} ids={[a, b]} />
        )}
      </PageBody>
    </>
  );
}

function Compared({ ids }: { readonly ids: readonly [string, string] }): ReactNode {
  const answer = useAnswer(['compare', ...ids], async (client, signal) => {
    const read = (id: string) => client.call('getRun', { path: { run_id: id }, signal });
    return Promise.all([read(ids[0]), read(ids[1])] as const);
  });
  return (
    <Shown of={answer} what="the runs" linksIfMissing={<Link href="/runs">All runs</Link>}>
      {([a, b]) => <Comparison a={a} b={b} />}
    </Shown>
  );
}

function Comparison({ a, b }: { readonly a: Run; readonly b: Run }): ReactNode {
  return (
    <>
      <Heads runs={[a, b]} />
      <Card title="Facts" isFlush>
        <Rows label="Facts" heads={['Fact', 'First run', 'Second run']} rows={comparedFacts(a, b, statusWords)} />
      </Card>
      <Card title="Arguments" count={countOf(comparedArguments(a, b))} isFlush>
        <Rows label="Arguments" heads={['Argument', 'First run', 'Second run']} rows={comparedArguments(a, b)} isMono />
      </Card>
      <Steps a={a} b={b} />
      <FirstLine a={a} b={b} />
    </>
  );
}

function Heads({ runs }: { readonly runs: readonly [Run, Run] }): ReactNode {
  return (
    <div className={styles.heads}>
      {runs.map((run, at) => (
        <section key={at} className={styles.run} aria-label={at === 0 ? 'First run' : 'Second run'}>
          <h2>
            <Link href={runPath(run.run_id)} className={styles.link}>
              <JobName id={run.job_id} />
            </Link>
          </h2>
          <p>
            <StatusText of={run.status} /> <Time at={run.started_at ?? run.created_at} />
            <span className={styles.quiet}>{originWords(run)}</span>
          </p>
          {run.error !== null && <p className={styles.message}>{harmless(errorWords(run.error.message))}</p>}
        </section>
      ))}
    </div>
  );
}

function statusWords({ status, reason }: Run): string {
  const { word } = statusLooks[status];
  return reason === null ? word : `${word}: ${reasonWords(reason)}`;
}

function countOf(all: readonly ComparedArgument[]): string {
  const count = all.filter(differs).length;
  if (all.length === 0) return 'neither run has any';
  if (count > 0) return `${count} of ${all.length} differ`;
  return all.some(({ isSecret }) => isSecret) ? 'all the same, apart from secrets' : 'all the same';
}

function Rows(o: {
  readonly label: string;
  readonly heads: readonly string[];
  readonly rows: readonly (Difference & { readonly isSecret?: boolean })[];
  readonly isMono?: boolean;
}): ReactNode {
  if (o.rows.length === 0) return null;
  return (
    <table className={styles.table} aria-label={o.label} data-mono={o.isMono || undefined}>
      <thead className="unseen">
        <HeadRow names={o.heads} />
      </thead>
      <tbody>
        {o.rows.map((row) => (
          <tr key={row.name} data-differs={differs(row) || undefined}>
            <th scope="row">
              {harmless(row.name)}
              {differs(row) && <Chip look="late">differs</Chip>}
              {row.isSecret && <Chip>not compared</Chip>}
            </th>
            <td>{row.a === null ? '–' : harmless(valueWords(row.a))}</td>
            <td>{row.b === null ? '–' : harmless(valueWords(row.b))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Steps({ a, b }: { readonly a: Run; readonly b: Run }): ReactNode {
  const steps = comparedSteps(a, b);
  const differing = steps.filter((step) => step.isOther || step.isSlower).length;
  return (
    <Card
      title="Steps"
      count={differing === 0 ? countWords(steps.length) : `${differing} of ${steps.length} differ`}
      isFlush
    >
      <table className={styles.table} aria-label="Steps">
        <thead className="unseen">
          <HeadRow names={['Step', 'First run', 'Second run']} />
        </thead>
        <tbody>
          {steps.map((step) => {
            const { isOther, isSlower } = step;
            return (
              <tr key={step.stepId} data-differs={isOther || isSlower || undefined}>
                <th scope="row">
                  {harmless(step.stepId)}
                  {isOther && <Chip look="late">differs</Chip>}
                  {isSlower && <Chip look="late">slower</Chip>}
                </th>
                {[step.a, step.b].map((one, at) => (
                  <td key={at}>
                    {one === null ? (
                      '–'
                    ) : (
                      <span className={styles.took}>
                        <StatusText of={one.status} isShort />
                        {tookMs(one) !== null && stepTime(one, 0)}
                      </span>
                    )}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </Card>
  );
}

function FirstLine({ a, b }: { readonly a: Run; readonly b: Run }): ReactNode {
  const answer = useAnswer(['compare', 'log', a.run_id, b.run_id], (client, signal) =>
    findLogDifference(client, a, b, signal),
  );
  const failure = failureText(answer);
  return (
    <Card title="First log line that differs" {...(answer.data && { count: whereWords(answer.data) })}>
      {failure !== null && <ErrorNote text={failure} />}
      {!answer.data && failure === null && <Loading what="the logs" />}
      {answer.data?.kind === 'line' && (
        <div className={styles.lines}>
          <LogText run={a} name="First run" line={answer.data.a} />
          <LogText run={b} name="Second run" line={answer.data.b} />
        </div>
      )}
    </Card>
  );
}

function whereWords(found: LogDifference): string {
  if (found.kind === 'same') return 'the logs are the same, apart from times';
  if (found.kind === 'unknown') return `no difference in the first ${countWords(found.lines)} lines`;
  return `in step ${harmless(found.stepId)}`;
}

function LogText(o: { readonly run: Run; readonly name: string; readonly line: Line | null }): ReactNode {
  const now = useNow(60_000);
  return (
    <div>
      <h3 className={styles.quiet}>
        {o.name}, {runTitle(o.run, now)}
        {o.line && `, line ${o.line.seq}`}
      </h3>
      {o.line ? (
        <pre className={styles.log} data-level={o.line.level}>
          {harmless(o.line.message)}
        </pre>
      ) : (
        <p className={styles.quiet}>The log of this step ends before this line.</p>
      )}
    </div>
  );
}
