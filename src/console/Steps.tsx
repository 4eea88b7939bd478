// The steps of a run over time, waiting apart from running, and on demand as a graph above. Each leads to its log; the one whose
// log is shown is chosen in both.

import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { tookFor } from '../client/took.ts';
import type { LogPlace } from './LogPane.tsx';
import { Status } from './Notes.tsx';
import { onDemand } from './on-demand.tsx';
import { barsOf, drawnTime, type StepBar } from './step-bars.ts';
import { type Run, reasonWords, runPath, type Step } from './words.ts';

const StepGraph = onDemand('the graph', async () => (await import('./StepGraph.tsx')).StepGraph);

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
  const drawn = drawnTime(run, nowMs);
  const hrefOfStep = (id: string): string => hrefOf({ ...place, step: id, attempt: null, line: null });
  return (
    <section aria-label="Steps" className="steps">
      <div className="row">
        <h2>Steps</h2>
        <button type="button" aria-pressed={isGraph} onClick={() => setGraph(!isGraph)}>
          Graph
        </button>
      </div>
      {isGraph && <StepGraph steps={run.steps} chosen={place.step} hrefOf={hrefOfStep} />}
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
              {step.instance_of === null && step.needs.length > 0 && ` after ${step.needs.join(', ')}`}
            </span>
            <Timeline bars={barsOf({ run, step, attempts, nowMs })} drawn={drawn} />
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

type Span = Pick<StepBar, 'fromMs' | 'toMs'>;

function Timeline({ bars, drawn }: { readonly bars: readonly StepBar[]; readonly drawn: Span }): ReactNode {
  return (
    <span className="timeline" role="img" aria-label={bars.map(({ words }) => words).join(', ') || 'not started'}>
      {bars.map((bar) => (
        <span
          key={`${bar.look} ${bar.fromMs}`}
          className={`bar bar-${bar.look}`}
          title={bar.words}
          style={placeOf(bar, drawn)}
        />
      ))}
    </span>
  );
}

function placeOf({ fromMs, toMs }: Span, drawn: Span): { readonly left: string; readonly width: string } {
  const within = (ms: number): number => Math.min(Math.max(ms, drawn.fromMs), drawn.toMs) - drawn.fromMs;
  const percent = (ms: number): string => `${((ms / (drawn.toMs - drawn.fromMs)) * 100).toFixed(2)}%`;
  return { left: percent(within(fromMs)), width: percent(within(toMs) - within(fromMs)) };
}
