// The page of a run: its state in a sentence, what a user can do with it, its steps, and what it printed and returned.

import { ChevronLeft } from 'lucide-react';
import { type ReactNode, useMemo } from 'react';
import { Link } from 'wouter';
import { isFinished } from '../../domain/run.ts';
import { useTitle } from '../browser.ts';
import { CopyButton } from '../design/controls/CopyButton.tsx';
import { JobName } from '../design/text/JobName.tsx';
import { PageBody, PageHeader } from '../design/text/PageHeader.tsx';
import { Time } from '../design/text/Time.tsx';
import { narrowPx, useWidth } from '../design/width.ts';
import { RunOutput } from '../log/RunOutput.tsx';
import { useRunAnswer } from '../log/run-answer.ts';
import { useRunPlace } from '../log/run-place.ts';
import { ShownRun, toRuns } from '../log/ShownRun.tsx';
import { useActions } from '../session/actions.ts';
import { useRefresh } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';
import { useRunEvents } from '../session/streams.ts';
import { ErrorNote } from '../widgets/Notes.tsx';
import { dayAndTime, harmless, jobPath, type Run, type Step, statusLooks } from '../words.ts';
import { ApprovalCard } from './ApprovalCard.tsx';
import { CancelProgress } from './CancelProgress.tsx';
import { useCancels } from './cancels.ts';
import { useLastSuccess } from './last-success.ts';
import { RunActions } from './RunActions.tsx';
import styles from './RunPage.module.css';
import { AgainstLastSuccess, Granted, LeftBehind } from './RunSide.tsx';
import { RunSummary } from './RunSummary.tsx';
import { timesOf } from './run-times.ts';
import { idWords } from './run-words.ts';
import { StepsCard } from './steps/StepsCard.tsx';

export function RunPage({ runId }: { readonly runId: string }): ReactNode {
  const refresh = useRefresh();
  // The keys of all answers on this page begin with these two words.
  useRunEvents({ runId }, { change: () => refresh({ queryKey: ['run', runId] }) });
  // The answer is not cached. So a page that is opened again shows the current run, and opens at the step that has
  // failed.
  const answer = useRunAnswer(runId, { gcTime: 0 });
  return (
    <ShownRun runId={runId} of={answer}>
      {({ run, attempts }) => <RunBody key={runId} run={run} attempts={attempts} />}
    </ShownRun>
  );
}

function RunBody({ run, attempts }: { readonly run: Run; readonly attempts: readonly Step[] }): ReactNode {
  const refresh = useRefresh();
  const refreshRun = (): void => refresh({ queryKey: ['run', run.run_id] });
  const cancels = useCancels(run, refreshRun);
  const actions = useActions(refreshRun);
  const error = actions.error ?? cancels.error;
  const at = useRunPlace(run);
  const nowMs = useNow(1_000, !isFinished(run.status));
  const times = useMemo(() => timesOf(run, attempts, nowMs), [run, attempts, nowMs]);
  const lastSuccess = useLastSuccess(run);
  const minuteMs = useNow(60_000);
  useTitle(`${statusLooks[run.status].glyph} ${run.job_id}, ${dayAndTime(run.created_at, minuteMs)}`);
  const isNarrow = useWidth() < narrowPx;
  const buttons = <RunActions run={run} lastSuccess={lastSuccess} actions={actions} cancels={cancels} />;
  const asking = run.steps.filter(({ status, kind }) => status === 'waiting_approval' && kind === 'approval');
  return (
    <div className={styles.page}>
      <RunHeader run={run}>{!isNarrow && buttons}</RunHeader>
      <RunSummary run={run} lastSuccess={lastSuccess} shownStep={at.place.step} times={times} nowMs={nowMs} />
      {isNarrow && <div className={styles.actions}>{buttons}</div>}
      <PageBody>
        {error !== null && <ErrorNote text={error} />}
        {asking.map((step) => (
          <ApprovalCard key={step.step_id} run={run} step={step} />
        ))}
        <StepsCard run={run} times={times} at={at} nowMs={nowMs} />
        <div className={styles.columns}>
          <div className={styles.output}>
            <RunOutput run={run} attempts={attempts} at={at} />
          </div>
          <div className={styles.side}>
            <div className={styles.cards}>
              {(cancels.isAsked || run.cancel_requested_at !== null) && (
                <CancelProgress run={run} asks={cancels.asks} />
              )}
              {lastSuccess && <AgainstLastSuccess run={run} last={lastSuccess} />}
              <LeftBehind run={run} />
              <Granted run={run} />
            </div>
          </div>
        </div>
      </PageBody>
    </div>
  );
}

function RunHeader({ run, children }: { readonly run: Run; readonly children: ReactNode }): ReactNode {
  const job = harmless(run.job_id);
  const cut = job.lastIndexOf('/');
  // A phone has no room for the breadcrumbs.
  const isNarrow = useWidth() < narrowPx;
  return (
    <PageHeader
      before={
        <>
          {toRuns}
          {cut > 0 && (
            <span>
              <Link href={`/jobs?namespace=${encodeURIComponent(job.slice(0, cut))}`}>{job.slice(0, cut)}</Link>
            </span>
          )}
        </>
      }
      title={
        <span className={styles.heading}>
          {isNarrow && (
            <Link href="/runs" aria-label="Runs" className={styles.back}>
              <ChevronLeft size={16} aria-hidden="true" />
            </Link>
          )}
          <span className={styles.job}>
            <Link href={jobPath(run.job_id)}>{isNarrow ? <JobName id={run.job_id} /> : job.slice(cut + 1)}</Link>,
          </span>
          <span className={styles.time}>
            {' '}
            <Time at={run.created_at} hasDay />
          </span>
        </span>
      }
      after={
        <span className={styles.id}>
          <code title={run.run_id}>{idWords(run.run_id)}</code>
          <CopyButton label="Copy the id" text={run.run_id} />
        </span>
      }
    >
      {children}
    </PageHeader>
  );
}
