// What a run printed, gave and left, in tabs: log, result, artifacts, details, events.

import type { KeyboardEvent, ReactNode } from 'react';
import { onDemand } from '../shell/on-demand.tsx';
import type { Run, Step } from '../words.ts';
import { LogPane } from './LogPane.tsx';
import { type RunPlace, type RunTab, runTabs } from './run-place.ts';

const Artifacts = onDemand('artifacts', async () => (await import('../run/Artifacts.tsx')).Artifacts);
const RunDetails = onDemand('details', async () => (await import('../run/RunParts.tsx')).RunDetails);
const RunEvents = onDemand('events', async () => (await import('../run/RunParts.tsx')).RunEvents);
const Result = onDemand('the result', async () => (await import('../run/Result.tsx')).Result);

export function RunOutput(o: {
  readonly run: Run;
  readonly attempts: readonly Step[];
  readonly at: RunPlace;
}): ReactNode {
  const { run, attempts } = o;
  const { tab, place, hrefOf, go } = o.at;
  const show = (next: RunTab): void => go({ ...place, line: null }, next);
  const onTabKey = (event: KeyboardEvent): void => {
    const at = runTabs.indexOf(tab);
    const last = runTabs.length - 1;
    const places: Record<string, number> = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last };
    const to = places[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = runTabs[to > last ? 0 : to < 0 ? last : to] ?? tab;
    document.getElementById(`tab-${next}`)?.focus();
    show(next);
  };
  return (
    <>
      <div role="tablist" aria-label="Parts of the run" className="tabs" onKeyDown={onTabKey}>
        {runTabs.map((one) => (
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
        {tab === 'log' && <LogPane run={run} attempts={attempts} place={place} hrefOf={hrefOf} go={go} />}
        {tab === 'result' && <Result run={run} />}
        {tab === 'artifacts' && <Artifacts run={run} />}
        {tab === 'details' && <RunDetails run={run} />}
        {tab === 'events' && <RunEvents run={run} />}
      </div>
    </>
  );
}
