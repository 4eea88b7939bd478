// The log of a run with its filters and its search. Line, step, level and attempt are in the URL, so a link opens the
// same place.

import { type ReactNode, useState } from 'react';
import { errorText } from '../../client/error-words.ts';
import { inGroups, isKept, keptWords } from '../../client/shown-steps.ts';
import { type LogLevel, logLevels } from '../../domain/log-line.ts';
import { saveAnswer, useKept } from '../browser.ts';
import { useClient } from '../session/session.tsx';
import { Empty, ErrorNote, Loading } from '../widgets/Notes.tsx';
import { type Run, reasonWords, type Step } from '../words.ts';
import { LogLines } from './LogLines.tsx';
import { type LogSearch, useLogSearch } from './log-search.ts';
import { type RunLog, useRunLog } from './run-log.ts';

export type LogPlace = {
  readonly step: string | null;
  readonly attempt: number | null;
  readonly level: LogLevel;
  readonly line: number | null;
  /** The text to search for; empty: there is no search. */
  readonly find: string;
};

type PlaceProps = { readonly place: LogPlace; readonly go: (place: LogPlace) => void };

type LogPaneProps = PlaceProps & {
  readonly run: Run;
  readonly attempts: readonly Step[];
  readonly hrefOf: (place: LogPlace) => string;
};

const shownLevels = ['trace', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[];
const allLevels = logLevels[0];

export function LogPane(o: LogPaneProps): ReactNode {
  const { run, place, go, hrefOf } = o;
  const { step, attempt, level, line, find } = place;
  const client = useClient();
  const log = useRunLog(run.run_id, { level, stepId: step, attempt }, line ?? 'end');
  const [hasTime, setTime] = useKept('flwd.log.time', false);
  const [wraps, setWraps] = useKept('flwd.log.wrap', true);
  const search = useLogSearch(run.run_id, { level, stepId: step, attempt }, find);
  const [error, setError] = useState<string | null>(null);
  const save = (): Promise<void> =>
    saveAnswer(
      client.request('getRunLogs', { path: { run_id: run.run_id }, headers: { accept: 'text/plain' } }),
      `${run.run_id}.log`,
    ).catch((error: unknown) => setError(errorText(error)));
  const ofOne = run.steps.find(({ step_id: id }) => id === step) ?? (run.steps.length === 1 ? run.steps[0] : undefined);
  return (
    <section aria-label="Log of the run" className="log-pane">
      <div className="filters">
        <StepChoices {...o} ofOne={ofOne} />
        <Levels place={place} go={go} />
        <Search place={place} go={go} search={search} />
        <span className="space" />
        <button type="button" aria-pressed={hasTime} onClick={() => setTime(!hasTime)}>
          Times
        </button>
        <button type="button" aria-pressed={wraps} onClick={() => setWraps(!wraps)}>
          Wrap
        </button>
        <button type="button" onClick={() => log.jump('first')}>
          Top
        </button>
        <button type="button" onClick={() => void save()}>
          Download
        </button>
      </div>
      {(error ?? log.error) !== null && <ErrorNote text={error ?? log.error ?? ''} />}
      <NoLines log={log} run={run} line={line} ofOne={ofOne} />
      {log.held && log.held.lines.length > 0 && (
        <LogLines
          log={log}
          hrefOf={(seq) => hrefOf({ ...place, line: seq })}
          chooseLine={(seq) => go({ ...place, line: seq })}
          hasTime={hasTime}
          hasStep={run.steps.length > 1 && (step === null || ofOne?.kind === 'group')}
          wraps={wraps}
          search={find}
          marked={line ?? search.seq}
        />
      )}
    </section>
  );
}

/** Selects the step and the attempt, if there are several. */
function StepChoices(o: LogPaneProps & { readonly ofOne: Step | undefined }): ReactNode {
  const { run, place, go, ofOne } = o;
  const { step, attempt } = place;
  const attemptsOfStep = o.attempts.filter(({ step_id: id }) => id === ofOne?.step_id).map((one) => one.attempt);
  const printing = inGroups(run.steps).filter(
    ({ kind, step_id: id }) => kind === 'command' || kind === 'group' || id === step,
  );
  return (
    <>
      {run.steps.length > 1 && (
        <select
          aria-label="Step"
          value={step ?? ''}
          onChange={(event) => go({ ...place, step: event.target.value || null, attempt: null, line: null })}
        >
          <option value="">all steps, in time order</option>
          {printing.map(({ step_id: id }) => (
            <option key={id}>{id}</option>
          ))}
        </select>
      )}
      {attemptsOfStep.length > 1 && (
        <select
          aria-label="Attempt"
          value={attempt ?? ''}
          onChange={(event) => go({ ...place, attempt: Number(event.target.value) || null, line: null })}
        >
          <option value="">all attempts</option>
          {attemptsOfStep.map((one) => (
            <option key={one} value={one}>
              attempt {one}
            </option>
          ))}
        </select>
      )}
    </>
  );
}

function Levels({ place, go }: PlaceProps): ReactNode {
  return (
    <fieldset className="chips">
      <legend className="unseen">Level</legend>
      {shownLevels.map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={place.level === one}
          onClick={() => go({ ...place, level: one, line: null })}
        >
          {one === allLevels ? 'all' : one === 'error' ? one : `${one}+`}
        </button>
      ))}
    </fieldset>
  );
}

function Search({ place, go, search }: PlaceProps & { readonly search: LogSearch }): ReactNode {
  const { find } = place;
  // The next match replaces a line that the URL names.
  const turn = (by: 1 | -1): void => {
    if (place.line !== null) go({ ...place, line: null });
    search.turn(by);
  };
  return (
    <>
      <input
        type="search"
        aria-label="Search the log"
        defaultValue={find}
        placeholder="Search this log"
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          const text = event.currentTarget.value;
          if (text !== find) go({ ...place, find: text, line: null });
          else if (search.seq === null) search.again();
          else turn(event.shiftKey ? 1 : -1);
        }}
        onChange={(event) => event.target.value === '' && find !== '' && go({ ...place, find: '' })}
      />
      {find !== '' && (
        <span className="found">
          <span role="status">{search.words}</span>
          <button type="button" aria-label="Previous match" disabled={!search.hasOthers} onClick={() => turn(-1)}>
            ↑
          </button>
          <button type="button" aria-label="Next match" disabled={!search.hasOthers} onClick={() => turn(1)}>
            ↓
          </button>
        </span>
      )}
    </>
  );
}

/** Says why there are no lines, or why the wanted line is missing. */
function NoLines(o: {
  readonly log: RunLog;
  readonly run: Run;
  readonly line: number | null;
  readonly ofOne: Step | undefined;
}): ReactNode {
  const { line } = o;
  const { held, error } = o.log;
  if (!held) return error === null && <Loading what="the log" />;
  return (
    <>
      {held.isExpired && <Empty>The log was deleted when its retention time ended.</Empty>}
      {held.lines.length === 0 && !held.isExpired && <Empty>{emptyWords(o.run, o.ofOne)}</Empty>}
      {held.isToEnd && line !== null && line > (held.lines.at(-1)?.seq ?? 0) && (
        <Empty>The log ends before line {line.toLocaleString('en')}.</Empty>
      )}
    </>
  );
}

function emptyWords(run: Run, step: Step | undefined): string {
  if (step && hasNeverRun(step))
    return `This step did not run: ${(step.message ?? reasonWords(step.reason)).replace(/\.$/, '')}.`;
  if (step && isKept(run, step)) return `This step was ${keptWords}, which has its log.`;
  return run.finished_at === null ? 'No output yet.' : 'No output.';
}

function hasNeverRun({ status, started_at: startedAt }: Step): boolean {
  return startedAt === null && (status === 'skipped' || status === 'cancelled');
}
