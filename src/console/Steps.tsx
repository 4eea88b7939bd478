// The steps of a run over time, and on demand as a graph. Each leads to its log.

import { lazy, type ReactNode, Suspense, useState } from 'react';
import { Link } from 'wouter';
import type { LogPlace } from './LogPane.tsx';
import { Loading, Status } from './Notes.tsx';
import { type Run, reasonWords, runPath, type Step, tookFor } from './words.ts';

const StepGraph = lazy(async () => ({ default: (await import('./StepGraph.tsx')).StepGraph }));

export function Steps(o: {
  readonly run: Run;
  readonly attempts: readonly Step[];
  readonly nowMs: number;
  readonly place: LogPlace;
  readonly hrefOf: (place: LogPlace) => string;
}): ReactNode {
  const { run, attempts, nowMs, place, hrefOf } = o;
  const [isGraph, setGraph] = useState(false);
  if (run.steps.length < 2) return null;
  const startMs = Date.parse(run.started_at ?? run.created_at);
  const endMs = run.finished_at === null ? nowMs : Date.parse(run.finished_at);
  const span = Math.max(1, endMs - startMs);
  const hrefOfStep = (id: string): string => hrefOf({ ...place, step: id, attempt: null, line: null });
  return (
    <section aria-label="Steps" className="steps">
      <div className="row">
        <h2>Steps</h2>
        <button type="button" aria-pressed={isGraph} onClick={() => setGraph(!isGraph)}>
          Graph
        </button>
      </div>
      {isGraph && (
        <Suspense fallback={<Loading what="the graph" />}>
          <StepGraph steps={run.steps} hrefOf={hrefOfStep} />
        </Suspense>
      )}
      <ul>
        {run.steps.map((step) => (
          <li key={step.step_id} className={place.step === step.step_id ? 'chosen' : ''}>
            <Status of={step.status} isBare />
            <Link href={hrefOfStep(step.step_id)} aria-current={place.step === step.step_id ? 'true' : undefined}>
              {step.step_id}
            </Link>
            <span className="quiet ellipsis">
              {step.name !== null && step.name !== step.step_id && `${step.name} `}
              {step.status === 'success' ? '' : (step.message ?? reasonWords(step.reason))}
              {step.child_run_id !== null && (
                <Link href={runPath(step.child_run_id)} className="small">
                  its run
                </Link>
              )}
            </span>
            <span className="timeline" aria-hidden="true">
              {attempts
                .filter(({ step_id: id, started_at: at }) => id === step.step_id && at !== null)
                .map((one) => (
                  <span
                    key={one.attempt}
                    className={`bar bar-${one.status}`}
                    style={barOf(one, { startMs, span, nowMs })}
                  />
                ))}
            </span>
            <span className="quiet took">
              {step.attempt > 1 && `×${step.attempt} `}
              {tookFor(step.started_at, step.finished_at, nowMs)}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function barOf(
  { started_at: start, finished_at: end }: Step,
  o: { readonly startMs: number; readonly span: number; readonly nowMs: number },
): { readonly left: string; readonly width: string } {
  const from = Math.max(0, Date.parse(start ?? '') - o.startMs);
  const to = (end === null ? o.nowMs : Date.parse(end)) - o.startMs;
  const percent = (ms: number): string => `${Math.min(100, (ms / o.span) * 100).toFixed(2)}%`;
  return { left: percent(from), width: percent(Math.max(0, to - from)) };
}
