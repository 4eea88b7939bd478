// The part of a run that its page shows: a tab, and the place in the log. Both are in the URL.

import { useMemo, useState } from 'react';
import { useLocation, useSearch } from 'wouter';
import { failingStep } from '../../client/shown-steps.ts';
import { type LogLevel, logLevels } from '../../domain/log-line.ts';
import { type Run, runPath } from '../words.ts';

export type LogPlace = {
  readonly step: string | null;
  readonly attempt: number | null;
  readonly level: LogLevel;
  readonly line: number | null;
  /** The text to search for; empty: there is no search. */
  readonly find: string;
};

export const runTabs = ['log', 'result', 'artifacts', 'sub-runs', 'events', 'details'] as const;
type RunTab = (typeof runTabs)[number];

/**
 * The value in the URL that selects all steps. If the URL names no step, the log of a failed run opens at the failed
 * step.
 */
const everyStep = '*';

export type RunPlace = {
  readonly tab: RunTab;
  readonly place: LogPlace;
  readonly hrefOf: (place: LogPlace, tab?: RunTab) => string;
  /** The address of the same place on the other page: the page of the run, or the page of its log at full height. */
  readonly otherHref: string;
  /** Replaces the current entry of the history, so that going back leaves the run. */
  readonly go: (place: LogPlace, tab?: RunTab) => void;
};

/** @param isLogPage whether the page shows only the log */
export function useRunPlace(run: Run, isLogPage = false): RunPlace {
  const [, navigate] = useLocation();
  const search = useSearch();
  // Set only once, when the page opens. Otherwise the log would jump if a step failed while the user watches it.
  const [initialStep] = useState(() => failingStep(run, { hasSubRuns: true }));
  const { tab, place } = useMemo(() => placeIn(search, initialStep), [search, initialStep]);
  const runHref = runPath(run.run_id);
  const logHref = `${runHref}/log`;
  const hrefOf = (next: LogPlace, nextTab: RunTab = 'log'): string =>
    `${isLogPage ? logHref : runHref}${queryOf(run, next, nextTab)}`;
  return {
    tab,
    place,
    hrefOf,
    otherHref: `${isLogPage ? runHref : logHref}${queryOf(run, place, 'log')}`,
    go: (next, nextTab) => navigate(hrefOf(next, nextTab), { replace: true }),
  };
}

/** The tab and the place in the log that a URL names. */
function placeIn(search: string, initialStep: string | null): Pick<RunPlace, 'tab' | 'place'> {
  const asked = new URLSearchParams(search);
  const step = asked.get('step');
  return {
    tab: runTabs.find((tab) => tab === asked.get('tab')) ?? 'log',
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

function queryOf(run: Run, { step, attempt, level, line, find }: LogPlace, tab: RunTab): string {
  const query = new URLSearchParams();
  if (tab !== 'log') query.set('tab', tab);
  if (step !== null) query.set('step', step);
  else if (run.steps.length > 1) query.set('step', everyStep);
  if (attempt !== null) query.set('attempt', String(attempt));
  if (level !== logLevels[0]) query.set('level', level);
  if (line !== null) query.set('line', String(line));
  if (find !== '') query.set('find', find);
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
