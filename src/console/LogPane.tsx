// The log of a run: which of its lines, what is looked for in them, and how they are shown. Line, step, level and attempt live
// in the URL, so that a link leads to the same place.

import { type ReactNode, useState } from 'react';
import { faultText } from '../client/fault-words.ts';
import { findLines } from '../client/log-pages.ts';
import { type LogLevel, logLevels } from '../domain/log-line.ts';
import { LogLines } from './LogLines.tsx';
import { Empty, Fault, Loading } from './Notes.tsx';
import { useRunLog } from './run-log.ts';
import { saveAnswer } from './save.ts';
import { useClient } from './session.tsx';
import type { Run, Step } from './words.ts';

export type LogPlace = {
  readonly step: string | null;
  readonly attempt: number | null;
  readonly level: LogLevel;
  readonly line: number | null;
};

const shownLevels = ['trace', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[];
const allLevels = logLevels[0];

export function LogPane(o: {
  readonly run: Run;
  readonly attempts: readonly Step[];
  readonly place: LogPlace;
  readonly hrefOf: (place: LogPlace) => string;
  readonly go: (place: LogPlace) => void;
}): ReactNode {
  const { run, place, go, hrefOf } = o;
  const { step, attempt, level, line } = place;
  const client = useClient();
  const log = useRunLog(run.run_id, { level, stepId: step, attempt }, line ?? 'end');
  const [hasTime, setTime] = useKept('flwd.log.time', false);
  const [wraps, setWraps] = useKept('flwd.log.wrap', true);
  const [found, setFound] = useState<Found>(nothing);
  const [fault, setFault] = useState<string | null>(null);

  async function find(text: string): Promise<void> {
    if (text === '') return setFound(nothing);
    setFound({ ...nothing, text, note: 'searching…' });
    try {
      const source = {
        client,
        runId: run.run_id,
        filter: { level, stepId: step, attempt },
        signal: AbortSignal.timeout(60_000),
      };
      const seqs = await findLines(source, text);
      setFound({ text, seqs, at: Math.max(0, seqs.length - 1), note: seqs.length === 0 ? 'nowhere' : '' });
    } catch (error) {
      setFound({ ...nothing, text, note: faultText(error) });
    }
  }
  const turn = (by: 1 | -1): void =>
    setFound((now) => ({ ...now, at: (now.at + by + now.seqs.length) % Math.max(1, now.seqs.length) }));
  const save = (): Promise<void> =>
    saveAnswer(
      client.request('getRunLogs', { path: { run_id: run.run_id }, headers: { accept: 'text/plain' } }),
      `${run.run_id}.log`,
    ).catch((error: unknown) => setFault(faultText(error)));

  const ofOne = step ?? (run.steps.length === 1 ? run.steps[0]?.step_id : null);
  const attemptsOfStep = o.attempts.filter(({ step_id: id }) => id === ofOne).map((one) => one.attempt);
  const stepNames = run.steps
    .filter(({ kind, step_id: id }) => kind === 'command' || id === step)
    .map(({ step_id: id }) => id);
  const foundSeq = found.seqs[found.at] ?? null;
  const { held } = log;
  return (
    <section aria-label="Log of the run" className="log-pane">
      <div className="filters">
        {run.steps.length > 1 && (
          <select
            aria-label="Step"
            value={step ?? ''}
            onChange={(event) => go({ ...place, step: event.target.value || null, attempt: null, line: null })}
          >
            <option value="">all steps, by time</option>
            {stepNames.map((name) => (
              <option key={name}>{name}</option>
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
        <fieldset className="chips">
          <legend className="unseen">Level</legend>
          {shownLevels.map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={level === one}
              onClick={() => go({ ...place, level: one, line: null })}
            >
              {one === allLevels ? 'all' : one === 'error' ? one : `${one}+`}
            </button>
          ))}
        </fieldset>
        <input
          type="search"
          aria-label="Search the log"
          placeholder="Search, Enter"
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return;
            const text = event.currentTarget.value;
            if (text !== found.text || found.note !== '') void find(text);
            else turn(event.shiftKey ? 1 : -1);
          }}
          onChange={(event) => event.target.value === '' && setFound(nothing)}
        />
        {found.text !== '' && (
          <span className="found">
            <span role="status">{found.note || `${found.at + 1} of ${found.seqs.length}`}</span>
            <button type="button" aria-label="Previous hit" disabled={found.seqs.length < 2} onClick={() => turn(-1)}>
              ↑
            </button>
            <button type="button" aria-label="Next hit" disabled={found.seqs.length < 2} onClick={() => turn(1)}>
              ↓
            </button>
          </span>
        )}
        <span className="space" />
        <button type="button" aria-pressed={hasTime} onClick={() => setTime(!hasTime)}>
          Times
        </button>
        <button type="button" aria-pressed={wraps} onClick={() => setWraps(!wraps)}>
          Wrap
        </button>
        <button type="button" onClick={() => log.jump('first')}>
          Start
        </button>
        <button type="button" onClick={() => void save()}>
          Download
        </button>
      </div>
      {(fault ?? log.fault) !== null && <Fault text={fault ?? log.fault ?? ''} />}
      {held?.isExpired && <Empty>The log has been removed, as its retention says.</Empty>}
      {!held && log.fault === null && <Loading what="the log" />}
      {held && held.lines.length === 0 && !held.isExpired && (
        <Empty>{run.finished_at === null ? 'Nothing has been printed yet.' : 'No line was printed here.'}</Empty>
      )}
      {held && held.lines.length > 0 && (
        <LogLines
          log={log}
          hrefOf={(seq) => hrefOf({ ...place, line: seq })}
          chooseLine={(seq) => go({ ...place, line: seq })}
          hasTime={hasTime}
          hasStep={step === null && run.steps.length > 1}
          wraps={wraps}
          search={found.text}
          marked={foundSeq ?? line}
        />
      )}
    </section>
  );
}

type Found = { readonly text: string; readonly seqs: readonly number[]; readonly at: number; readonly note: string };
const nothing: Found = { text: '', seqs: [], at: 0, note: '' };

/** A choice of the reader's, for the next log too. */
function useKept(key: string, initial: boolean): [boolean, (value: boolean) => void] {
  const [value, setValue] = useState(() => {
    const kept = localStorage.getItem(key);
    return kept === null ? initial : kept === 'yes';
  });
  const keep = (next: boolean): void => {
    localStorage.setItem(key, next ? 'yes' : 'no');
    setValue(next);
  };
  return [value, keep];
}
