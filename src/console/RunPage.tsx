// A run: how it is and why, in a sentence; what can be done with it; its steps, log, result and artifacts.

import { type ReactNode, useMemo, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { type LogLevel, logLevels } from '../domain/log-line.ts';
import { LogPane, type LogPlace } from './LogPane.tsx';
import { useLoaded, useNow, useRunEvents, useTitle } from './loading.ts';
import { Shown, Status, Time } from './Notes.tsx';
import { onDemand } from './on-demand.tsx';
import { RunActions } from './RunActions.tsx';
import { Artifacts, RunDetails, RunEvents } from './RunParts.tsx';
import { Steps } from './Steps.tsx';
import { useClient } from './session.tsx';
import { jobPath, type Run, runPath, runSentence, type Step, statusLooks } from './words.ts';

const Result = onDemand('the result', async () => (await import('./Result.tsx')).Result);

const tabs = ['log', 'result', 'artifacts', 'details', 'events'] as const;
type Tab = (typeof tabs)[number];
/** In the URL: of all steps, where the failing one would be shown without it. */
const everyStep = '*';

export function RunPage({ runId }: { readonly runId: string }): ReactNode {
  const client = useClient();
  const nudge = useRunEvents({ runId });
  const loaded = useLoaded({ key: runId, nudge }, async (signal) => {
    const path = { run_id: runId };
    const [run, { attempts }] = await Promise.all([
      client.call('getRun', { path, signal }),
      client.call('listRunAttempts', { path, signal }),
    ]);
    return { run, attempts };
  });
  return (
    <Shown of={loaded} what="the run">
      {({ run, attempts }) => <RunBody key={runId} run={run} attempts={attempts} again={loaded.again} />}
    </Shown>
  );
}

function RunBody(o: { readonly run: Run; readonly attempts: readonly Step[]; readonly again: () => void }): ReactNode {
  const { run, attempts } = o;
  const [, navigate] = useLocation();
  const search = useSearch();
  // As it was when the page was opened: whoever watches a run is not moved when it fails.
  const [initialStep] = useState(() => (run.status === 'failed' && run.steps.length > 1 ? failingStep(run) : null));
  const { tab, place } = useMemo(() => placeIn(search, initialStep), [search, initialStep]);
  const now = useNow(1_000);
  useTitle(`${statusLooks[run.status].glyph} ${run.job_id} ${run.run_id}`);
  const show = (next: Tab): void => navigate(hrefOf(run, { ...place, line: null }, next), { replace: true });
  return (
    <div className="fills">
      <p className="crumbs">
        <Link href="/jobs">Jobs</Link> / <Link href={jobPath(run.job_id)}>{run.job_id}</Link> /
      </p>
      <h1 className="run-title">{run.run_id}</h1>
      <p className={`sentence sentence-${run.status}`} role="status">
        <Status of={run.status} isBare /> {runSentence(run, now)}
      </p>
      <p className="quiet">
        <Origin run={run} />, <Time at={run.created_at} />
        {run.attempt > 1 && `, attempt ${run.attempt}`}
      </p>
      <RunActions run={run} again={o.again} />
      <Steps run={run} attempts={attempts} nowMs={now} place={place} hrefOf={(next) => hrefOf(run, next)} />
      <div role="tablist" aria-label="Parts of the run" className="tabs">
        {tabs.map((one) => (
          <button
            key={one}
            type="button"
            role="tab"
            id={`tab-${one}`}
            aria-selected={tab === one}
            aria-controls="tab-panel"
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

/** Where a link leads. */
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

function failingStep({ error, steps }: Run): string | null {
  const named = steps.find(({ step_id: id, kind }) => id === error?.step_id && kind === 'command');
  const failed =
    named ??
    steps.find(({ status, kind, reason }) => status === 'failed' && kind === 'command' && reason !== 'upstream_failed');
  return failed?.step_id ?? null;
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
  const { trigger, created_by: by, rerun_of: rerunOf, parent } = run;
  if (parent) {
    return (
      <>
        Started by the step {parent.step_id} of <Link href={runPath(parent.run_id)}>{parent.run_id}</Link>
      </>
    );
  }
  if (rerunOf !== null) {
    return (
      <>
        Started by {by} as a rerun of <Link href={runPath(rerunOf)}>{rerunOf}</Link>
      </>
    );
  }
  return <>{trigger.type === 'schedule' ? `Started by a schedule (${by})` : `Started by ${by}, by ${trigger.type}`}</>;
}
