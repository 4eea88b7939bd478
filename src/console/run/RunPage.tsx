// The page of a run: its state in a sentence, its actions, steps, log, result, artifacts, details and events.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { leftBehindWords } from '../../domain/left-behind.ts';
import { isFinished } from '../../domain/run.ts';
import { formatSize } from '../../lib/units.ts';
import { useTitle } from '../browser.ts';
import { RunOutput } from '../log/RunOutput.tsx';
import { useRunPlace } from '../log/run-place.ts';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';

import { useRunEvents } from '../session/streams.ts';
import { CopyButton } from '../widgets/CopyButton.tsx';
import { Shown, Status, Time, WithCode } from '../widgets/Notes.tsx';
import {
  fullTime,
  harmless,
  jobPath,
  originWords,
  type Run,
  runPath,
  runSentence,
  type Step,
  statusLooks,
} from '../words.ts';
import { RunActions } from './RunActions.tsx';
import { Steps } from './Steps.tsx';

export function RunPage({ runId }: { readonly runId: string }): ReactNode {
  const refresh = useRefresh();
  // This matches the answers of all parts of the page.
  const queryKey = ['run', runId];
  useRunEvents({ runId }, { change: () => refresh({ queryKey }) });
  const answer = useAnswer(
    [...queryKey, 'steps'],
    async (client, signal) => {
      const path = { run_id: runId };
      const [run, { attempts }] = await Promise.all([
        client.call('getRun', { path, signal }),
        client.call('listRunAttempts', { path, signal }),
      ]);
      return { run, attempts };
    },
    // A page that is opened again starts from the run as it is then, and so at the step that has failed.
    { gcTime: 0 },
  );
  return (
    <Shown of={answer} what="the run">
      {({ run, attempts }) => <RunBody key={runId} run={run} attempts={attempts} />}
    </Shown>
  );
}

function RunBody(o: { readonly run: Run; readonly attempts: readonly Step[] }): ReactNode {
  const { run, attempts } = o;
  const at = useRunPlace(run);
  useTitle(`${statusLooks[run.status].glyph} ${run.job_id} ${run.run_id}`);
  return (
    <div className="fills">
      <p className="crumbs">
        <Link href="/jobs">Jobs</Link> / <Link href={jobPath(run.job_id)}>{harmless(run.job_id)}</Link> / run
      </p>
      <h1 className="run-title">
        {harmless(run.job_id)} <small className="quiet">{fullTime(run.created_at)}</small>
      </h1>
      <Sentence run={run} />
      <Hint run={run} stepId={at.place.step} />
      <p className="quiet">
        <Origin run={run} />, <Time at={run.created_at} />
        {run.attempt > 1 && `, attempt ${run.attempt}`} <code>{run.run_id}</code>{' '}
        <CopyButton label="Copy the id" text={run.run_id} />
      </p>
      {run.left_behind && <p className="note">{leftBehindWords(run.left_behind, formatSize)}.</p>}
      <RunActions run={run} />
      <Steps run={run} attempts={attempts} place={at.place} hrefOf={at.hrefOf} />
      <RunOutput run={run} attempts={attempts} at={at} />
    </div>
  );
}

/** Screen readers announce the sentence, and not the duration that changes each second. */
function Sentence({ run }: { readonly run: Run }): ReactNode {
  const now = useNow(1_000, !isFinished(run.status));
  const { told, soFar } = runSentence(run, now);
  return (
    <p className={`sentence sentence-${run.status}`}>
      <span role="status">
        <Status of={run.status} isBare /> {told}
      </span>
      {soFar}
    </p>
  );
}

/** What to change so that the run, or the step whose log is shown, does not fail again. */
function Hint({ run, stepId }: { readonly run: Run; readonly stepId: string | null }): ReactNode {
  const shown = run.steps.find(({ step_id: id }) => id === stepId);
  const hint = shown?.hint ?? run.error?.hint;
  if (hint === undefined) return null;
  const words = `${hint.charAt(0).toUpperCase()}${hint.slice(1)}.`;
  return (
    <p className="note">
      <WithCode text={words} />
    </p>
  );
}

/** Who or what started it. */
function Origin({ run }: { readonly run: Run }): ReactNode {
  const { created_by: by, rerun_of: rerunOf, parent } = run;
  const begun = run.started_at === null ? 'Requested' : 'Started';
  if (parent) {
    return (
      <>
        {begun} by step {parent.step_id} of <Link href={runPath(parent.run_id)}>{parent.run_id}</Link>
      </>
    );
  }
  if (rerunOf !== null) {
    return (
      <>
        {begun} by {by} as a rerun of <Link href={runPath(rerunOf)}>{rerunOf}</Link>
      </>
    );
  }
  return (
    <>
      {begun} {originWords(run)}
    </>
  );
}
