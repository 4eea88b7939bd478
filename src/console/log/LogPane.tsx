// The log of a run with its filters and its search. Line, step, level and attempt are in the URL, so a link opens the
// same place.

import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { errorText } from '../../client/error-words.ts';
import { isKept, keptWords } from '../../client/shown-steps.ts';
import { isFinished } from '../../domain/run.ts';
import { saveAnswer, useKept } from '../browser.ts';
import { StatusIcon } from '../design/text/Status.tsx';
import { useClient } from '../session/session.tsx';
import { Empty, ErrorNote, Loading, WithCode } from '../widgets/Notes.tsx';
import { countWords, harmless, type Run, reasonWords, runPath, type Step } from '../words.ts';
import { type Between, LogLines, type Marked } from './LogLines.tsx';
import styles from './LogPane.module.css';
import { type LogPaneProps, LogToolbar } from './LogToolbar.tsx';
import { type LogErrors, useLogErrors } from './log-errors.ts';
import { type LogSearch, useLogSearch } from './log-search.ts';
import { type RunLog, useRunLog } from './run-log.ts';
import { ofStep, type SubRun } from './sub-runs.ts';

export function LogPane(o: LogPaneProps): ReactNode {
  const { run, place, go, hrefOf } = o;
  const { level, line, find } = place;
  const step = stepOf(o);
  const source = sourceOf(o, step);
  const isLive = !isFinished(source.status);
  // Set only once, when the page opens. Otherwise the log would jump if the run failed while the user watches it.
  const [opensAtError] = useState(run.status === 'failed');
  const log = useRunLog(source.runId, { level, ...source.filter }, line ?? (opensAtError ? 'error' : 'end'));
  const errors = useLogErrors(source.runId, source.filter, { isLive, isAtFirst: opensAtError && find === '' });
  const search = useLogSearch(source.runId, { level, ...source.filter }, find);
  const [hasTime, setTime] = useKept('flwd.log.time', true);
  const [wraps, setWraps] = useKept('flwd.log.wrap', true);
  const look = {
    hasTime,
    wraps,
    hasStep: source.subRun === null && run.steps.length > 1 && (step === undefined || step.kind === 'group'),
  };
  const { save, error } = useDownload(source.runId);
  const failure = error ?? log.error;
  return (
    <section aria-label="Log of the run" className={styles.pane}>
      <LogToolbar
        {...o}
        step={step}
        log={log}
        errors={errors}
        search={search}
        look={look}
        change={{ time: () => setTime(!hasTime), wrap: () => setWraps(!wraps), save }}
      />
      {failure !== null && <ErrorNote text={failure} />}
      {source.subRun && (
        <p className={styles.note}>
          <SubRunLine of={source.subRun} /> printed these lines.
        </p>
      )}
      <NoLines log={log} run={run} line={line} step={step} subRuns={o.subRuns} />
      {log.held && log.held.lines.length > 0 && (
        <LogLines
          log={log}
          hrefOf={lineHrefs(hrefOf({ ...place, line: null }))}
          chooseLine={(seq) => go({ ...place, line: seq })}
          look={look}
          search={find}
          marked={markedOf(line, find, search, errors)}
          between={source.subRun ? [] : o.subRuns.flatMap((one) => betweenOf(one, step))}
        />
      )}
    </section>
  );
}

/**
 * Returns a function that makes the address of a line. The start of the address is computed only once, because the
 * function is called for thousands of lines.
 */
function lineHrefs(href: string): (seq: number) => string {
  const start = `${href}${href.includes('?') ? '&' : '?'}line=`;
  return (seq) => `${start}${seq}`;
}

/** The chosen step, or else the only step. */
function stepOf({ run, place }: LogPaneProps): Step | undefined {
  const { steps } = run;
  return steps.find(({ step_id: id }) => id === place.step) ?? (steps.length === 1 ? steps[0] : undefined);
}

type Source = {
  readonly runId: string;
  readonly status: Run['status'];
  readonly filter: { readonly stepId: string | null; readonly attempt: number | null };
  /** The run that the step has started. Its lines are shown, because the step itself prints nothing. */
  readonly subRun: SubRun | null;
};

/** The log to show. For a step that runs another job, it is the log of the sub-run. */
function sourceOf({ run, place, subRuns }: LogPaneProps, step: Step | undefined): Source {
  const { step: stepId, attempt } = place;
  const started = step?.kind === 'job' ? ofStep(subRuns, step.step_id) : [];
  const subRun = (attempt === null ? undefined : started[attempt - 1]) ?? started.at(-1);
  if (subRun) {
    const filter = { stepId: null, attempt: null };
    return { runId: subRun.run_id, status: subRun.status, filter, subRun };
  }
  return { runId: run.run_id, status: run.status, filter: { stepId, attempt }, subRun: null };
}

/** Marks the line of the URL, or else the match of the search, or else the error that the reader has moved to. */
function markedOf(line: number | null, find: string, search: LogSearch, { block }: LogErrors): Marked | null {
  const seq = line ?? (find === '' ? null : search.seq);
  if (seq !== null) return { first: seq, last: seq, as: 'line' };
  return block && find === '' ? { ...block, as: 'error' } : null;
}

/** Returns the places in the log of the run at which a step has started another run. */
function betweenOf(subRun: SubRun, step: Step | undefined): Between[] {
  const { run_id: key, created_at: createdAt, started_at: startedAt, parent } = subRun;
  if (step && ofStep([subRun], step.step_id).length === 0) return [];
  const content = (
    <>
      {parent.step_id} runs <SubRunLine of={subRun} />
    </>
  );
  return [{ key, at: startedAt ?? createdAt, content }];
}

function SubRunLine({ of }: { readonly of: SubRun }): ReactNode {
  return (
    <span className={styles.subRun}>
      <StatusIcon of={of.status} size={12} /> <Link href={runPath(of.run_id)}>{harmless(of.job_id)}</Link>
    </span>
  );
}

function useDownload(runId: string): { readonly save: () => void; readonly error: string | null } {
  const client = useClient();
  const [error, setError] = useState<string | null>(null);
  const save = (): void => {
    setError(null);
    saveAnswer(
      client.request('getRunLogs', { path: { run_id: runId }, headers: { accept: 'text/plain' } }),
      `${runId}.log`,
    ).catch((reason: unknown) => setError(errorText(reason)));
  };
  return { save, error };
}

/** Says why there are no lines, or why the wanted line is missing. */
function NoLines(o: {
  readonly log: RunLog;
  readonly run: Run;
  readonly line: number | null;
  readonly step: Step | undefined;
  readonly subRuns: readonly SubRun[];
}): ReactNode {
  const { line, step } = o;
  const { held, error } = o.log;
  if (!held) return error === null && <Loading what="the log" />;
  const started = step ? ofStep(o.subRuns, step.step_id) : o.subRuns;
  return (
    <>
      {held.isExpired && <Empty>The log was deleted when its retention time ended.</Empty>}
      {held.lines.length === 0 && !held.isExpired && (
        <Empty>
          {started.length > 0 && step?.kind !== 'job' ? (
            <>
              <p>{step ? 'This step' : 'This run'} printed nothing itself. It started these runs:</p>
              <ul>
                {started.map((one) => (
                  <li key={one.run_id}>
                    {one.parent.step_id}: <SubRunLine of={one} />
                  </li>
                ))}
              </ul>
            </>
          ) : (
            <WithCode text={emptyWords(o.run, step)} />
          )}
        </Empty>
      )}
      {held.isToEnd && line !== null && line > (held.lines.at(-1)?.seq ?? 0) && (
        <Empty>The log ends before line {countWords(line)}.</Empty>
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
