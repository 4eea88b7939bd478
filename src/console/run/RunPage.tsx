// The page of a run: its state in a sentence, its actions, steps, log, result, artifacts, details and events.

import { type KeyboardEvent, type ReactNode, useMemo, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { failingStep } from '../../client/shown-steps.ts';
import { leftBehindWords } from '../../domain/left-behind.ts';
import { type LogLevel, logLevels } from '../../domain/log-line.ts';
import { isFinished } from '../../domain/run.ts';
import { formatSize } from '../../lib/units.ts';
import { useTitle } from '../browser.ts';
import { LogPane, type LogPlace } from '../log/LogPane.tsx';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';

import { useRunEvents } from '../session/streams.ts';
import { onDemand } from '../shell/on-demand.tsx';
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

const Artifacts = onDemand('artifacts', async () => (await import('./Artifacts.tsx')).Artifacts);
const RunDetails = onDemand('details', async () => (await import('./RunParts.tsx')).RunDetails);
const RunEvents = onDemand('events', async () => (await import('./RunParts.tsx')).RunEvents);
const Result = onDemand('the result', async () => (await import('./Result.tsx')).Result);

const tabs = ['log', 'result', 'artifacts', 'details', 'events'] as const;
type Tab = (typeof tabs)[number];
/** In the URL it selects all steps of a run that would otherwise open at its failed step. */
const everyStep = '*';

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
  const [, navigate] = useLocation();
  const search = useSearch();
  // Kept from when the page was opened: a user who watches a run is not moved when a step fails.
  const [initialStep] = useState(() => failingStep(run));
  const { tab, place } = useMemo(() => placeIn(search, initialStep), [search, initialStep]);
  useTitle(`${statusLooks[run.status].glyph} ${run.job_id} ${run.run_id}`);
  const show = (next: Tab): void => navigate(hrefOf(run, { ...place, line: null }, next), { replace: true });
  const onTabKey = (event: KeyboardEvent): void => {
    const at = tabs.indexOf(tab);
    const last = tabs.length - 1;
    const places: Record<string, number> = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last };
    const to = places[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = tabs[to > last ? 0 : to < 0 ? last : to] ?? tab;
    document.getElementById(`tab-${next}`)?.focus();
    show(next);
  };
  return (
    <div className="fills">
      <p className="crumbs">
        <Link href="/jobs">Jobs</Link> / <Link href={jobPath(run.job_id)}>{harmless(run.job_id)}</Link> / run
      </p>
      <h1 className="run-title">
        {harmless(run.job_id)} <small className="quiet">{fullTime(run.created_at)}</small>
      </h1>
      <Sentence run={run} />
      <Hint run={run} stepId={place.step} />
      <p className="quiet">
        <Origin run={run} />, <Time at={run.created_at} />
        {run.attempt > 1 && `, attempt ${run.attempt}`} <code>{run.run_id}</code>{' '}
        <CopyButton label="Copy the id" text={run.run_id} />
      </p>
      {run.left_behind && <p className="note">{leftBehindWords(run.left_behind, formatSize)}.</p>}
      <RunActions run={run} />
      <Steps run={run} attempts={attempts} place={place} hrefOf={(next) => hrefOf(run, next)} />
      <div role="tablist" aria-label="Parts of the run" className="tabs" onKeyDown={onTabKey}>
        {tabs.map((one) => (
          <button
            key={one}
            type="button"
            role="tab"
            id={`tab-${one}`}
            aria-selected={tab === one}
            aria-controls="tab-panel"
            tabIndex={tab === one ? 0 : -1}
            onClick={() => show(one)}
          >
            {one}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${tab}`}>
        {tab === 'log' && (
          <LogPane
            run={run}
            attempts={attempts}
            place={place}
            hrefOf={(next) => hrefOf(run, next)}
            go={(next) => navigate(hrefOf(run, next), { replace: true })}
          />
        )}
        {tab === 'result' && <Result run={run} />}
        {tab === 'artifacts' && <Artifacts run={run} />}
        {tab === 'details' && <RunDetails run={run} />}
        {tab === 'events' && <RunEvents run={run} />}
      </div>
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

/** The tab and the place in the log that a URL names. */
function placeIn(search: string, initialStep: string | null): { readonly tab: Tab; readonly place: LogPlace } {
  const asked = new URLSearchParams(search);
  const step = asked.get('step');
  return {
    tab: tabs.find((tab) => tab === asked.get('tab')) ?? 'log',
    place: {
      step: step === null ? (asked.has('line') ? null : initialStep) : step === everyStep ? null : step,
      attempt: Number(asked.get('attempt')) || null,
      level: levelIn(asked.get('level')),
      line: Number(asked.get('line')) || null,
      find: asked.get('find') ?? '',
    },
  };
}

function levelIn(text: string | null): LogLevel {
  return logLevels.find((level) => level === text) ?? logLevels[0];
}

function hrefOf(run: Run, { step, attempt, level, line, find }: LogPlace, tab: Tab = 'log'): string {
  const query = new URLSearchParams();
  if (tab !== 'log') query.set('tab', tab);
  if (step !== null) query.set('step', step);
  else if (run.steps.length > 1) query.set('step', everyStep);
  if (attempt !== null) query.set('attempt', String(attempt));
  if (level !== logLevels[0]) query.set('level', level);
  if (line !== null) query.set('line', String(line));
  if (find !== '') query.set('find', find);
  const text = query.toString();
  return `${runPath(run.run_id)}${text === '' ? '' : `?${text}`}`;
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
