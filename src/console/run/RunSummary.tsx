// The state of a run in one sentence, and its facts in one row: who started it, how long it worked and waited, its
// revision, arguments and labels.

import { GitCommitHorizontal, Tag, Timer } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { hintOf } from '../../client/answer-words.ts';
import { revisionWords } from '../../client/revision-words.ts';
import { differingArguments } from '../../client/run-differences.ts';
import { outlookOf } from '../../client/run-outlook.ts';
import { secondsWords, spanWords } from '../../client/took.ts';
import { showValue } from '../../domain/argument-fields.ts';
import { Chip } from '../design/text/Chip.tsx';
import { GitBranch, type Icon, RotateCcw } from '../design/text/icons.tsx';
import { StatusIcon } from '../design/text/Status.tsx';
import { triggerIcon } from '../runs/RunBy.tsx';
import { WithCode } from '../widgets/Notes.tsx';
import { harmless, type Run, runPath, starterWords } from '../words.ts';
import { useLaterSuccess, useUsualMs } from './last-success.ts';
import styles from './RunSummary.module.css';
import { runSentence } from './run-sentence.ts';
import type { RunTimes } from './run-times.ts';
import { shortWords } from './run-words.ts';

export function RunSummary(o: {
  readonly run: Run;
  /** undefined: not known yet. */
  readonly lastSuccess: Run | null | undefined;
  /** The step whose log is shown. The hint for this step takes precedence over the hint for the run. */
  readonly shownStep: string | null;
  readonly times: RunTimes;
  readonly nowMs: number;
}): ReactNode {
  const { run } = o;
  return (
    <div className={styles.summary}>
      <Sentence run={run} nowMs={o.nowMs} />
      <Hint run={run} stepId={o.shownStep} />
      <Later run={run} />
      {run.progress && run.finished_at === null && (
        <progress className={styles.progress} max={100} value={run.progress.percent} aria-label="Progress of the run" />
      )}
      <div className={styles.facts}>
        <Origin run={run} />
        <Times run={run} times={o.times} nowMs={o.nowMs} />
        <Revision run={run} lastSuccess={o.lastSuccess} />
        <Arguments run={run} lastSuccess={o.lastSuccess} />
        <Labels of={run.labels} />
      </div>
    </div>
  );
}

/** Screen readers announce the sentence, and not the duration that changes each second. */
function Sentence({ run, nowMs }: { readonly run: Run; readonly nowMs: number }): ReactNode {
  const { lead, why, rest, soFar } = runSentence(run, nowMs);
  const isAsked = run.steps.some(({ status }) => status === 'waiting_approval');
  const status = isAsked && run.status === 'running' ? 'waiting_approval' : run.status;
  return (
    <p className={styles.sentence}>
      <StatusIcon of={status} size={16} />
      <span>
        <span role="status">
          <span className={styles.lead} data-look={status}>
            {lead}
          </span>
          {why !== '' && ` ${harmless(why)}`}
          {rest !== '' && <span className={styles.rest}> {rest}</span>}
        </span>
        {soFar !== '' && <span className={styles.rest}> {soFar}</span>}
      </span>
    </p>
  );
}

/**
 * Says what to change, for example to prevent another failure. Shows the hint of the step whose log is open. If the
 * step has no hint, shows the hint of the run.
 */
function Hint({ run, stepId }: { readonly run: Run; readonly stepId: string | null }): ReactNode {
  const shown = run.steps.find(({ step_id: id }) => id === stepId);
  const hint = shown?.hint ?? hintOf(run);
  if (hint === undefined) return null;
  const words = `${hint.charAt(0).toUpperCase()}${hint.slice(1).replace(/\.$/, '')}.`;
  return (
    <p className={styles.hint}>
      <WithCode text={words} />
    </p>
  );
}

/** Whether the job has succeeded since the run failed. */
function Later({ run }: { readonly run: Run }): ReactNode {
  const id = useLaterSuccess(run);
  return id ? (
    <p className={styles.hint}>
      <Link href={runPath(id)}>A later run</Link> succeeded.
    </p>
  ) : null;
}

function Fact({
  icon: Icon,
  title,
  children,
}: {
  readonly icon: Icon;
  readonly title: string;
  readonly children: ReactNode;
}): ReactNode {
  return (
    <span className={styles.fact} title={title}>
      <Icon size={14} strokeWidth={2.2} aria-hidden="true" />
      <span>{children}</span>
    </span>
  );
}

function Origin({ run }: { readonly run: Run }): ReactNode {
  const { created_by: by, rerun_of: rerunOf, parent, trigger } = run;
  if (parent) {
    return (
      <Fact icon={GitBranch} title="Started by">
        step {harmless(parent.step_id)} of <Link href={runPath(parent.run_id)}>another run</Link>
      </Fact>
    );
  }
  return (
    <Fact icon={rerunOf === null ? triggerIcon(trigger.type) : RotateCcw} title="Started by">
      {harmless(rerunOf === null ? starterWords(run) : `${by}, as a rerun`)}
      {rerunOf !== null && (
        <>
          {' of '}
          <Link href={runPath(rerunOf)}>an earlier run</Link>
        </>
      )}
    </Fact>
  );
}

/** Shorter waits are not mentioned. */
const leastWaitMs = 1_000;

function Times({
  run,
  times,
  nowMs,
}: {
  readonly run: Run;
  readonly times: RunTimes;
  readonly nowMs: number;
}): ReactNode {
  const { workMs, waitedMs } = times;
  const work = run.finished_at === null ? secondsWords(workMs) : spanWords(workMs);
  const waited = waitedMs < leastWaitMs ? '' : `${spanWords(waitedMs)} waiting`;
  const worked = run.started_at === null ? '' : `${work} of work`;
  const words = [worked, waited].filter(Boolean).join(', ');
  const usual = useUsualMs(run.job_id);
  const usualMs = run.status === 'running' ? run.expected_ms : usual;
  const isWorking = run.status === 'running' && run.waiting_approval.length === 0;
  const outlook = isWorking ? outlookOf(run, usualMs, nowMs).words : '';
  if (words === '') return null;
  return (
    <Fact icon={Timer} title="How long the run worked, and how long it only waited">
      {words}
      {typeof usualMs === 'number' && <span className={styles.usual}> (usually {spanWords(usualMs)} of work)</span>}
      {outlook !== '' && `, ${outlook}`}
    </Fact>
  );
}

function Revision({
  run,
  lastSuccess,
}: {
  readonly run: Run;
  readonly lastSuccess: Run | null | undefined;
}): ReactNode {
  const { revision } = run.source;
  const isNew = lastSuccess ? lastSuccess.source.revision !== revision : false;
  return (
    <Fact icon={GitCommitHorizontal} title={`Revision ${revision} of ${run.source.name}`}>
      <code>{revisionWords(revision)}</code>
      {isNew && (
        <span className={styles.late}>
          {' '}
          new<span className={styles.wide}> since the last success</span>
        </span>
      )}
    </Fact>
  );
}

const mostLabels = 6;

function Labels({ of }: { readonly of: Run['labels'] }): ReactNode {
  const [isWhole, setWhole] = useState(false);
  const all = Object.entries(of);
  const shown = isWhole ? all : all.slice(0, mostLabels);
  return (
    <>
      {shown.map(([name, value]) => (
        <Fact key={name} icon={Tag} title="Label">
          {harmless(value === '' ? name : `${name}: ${value}`)}
        </Fact>
      ))}
      <Rest count={all.length - mostLabels} what="labels" isWhole={isWhole} setWhole={setWhole} />
    </>
  );
}

/** A button that shows the rest of a list and hides it again. It stays in place, so it keeps the focus. */
function Rest(o: {
  readonly count: number;
  readonly what: string;
  readonly isWhole: boolean;
  readonly setWhole: (isWhole: boolean) => void;
}): ReactNode {
  if (o.count <= 0) return null;
  return (
    <button type="button" className={styles.more} onClick={() => o.setWhole(!o.isWhole)}>
      {o.isWhole ? 'Fewer' : `+${o.count}`}
      <span className="unseen">
        {' '}
        {o.isWhole ? '' : 'more '}
        {o.what}
      </span>
    </button>
  );
}

const mostChips = 3;
const mostDiffering = 2;

function Arguments({
  run,
  lastSuccess,
}: {
  readonly run: Run;
  readonly lastSuccess: Run | null | undefined;
}): ReactNode {
  const [isWhole, setWhole] = useState(false);
  const differing = lastSuccess ? differingArguments(lastSuccess, run) : [];
  // If most arguments differ from those of the last success, marking them all would not help.
  const isAlike = differing.length <= mostDiffering || 2 * differing.length <= Object.keys(run.args).length;
  const changed = new Map(isAlike ? differing.map((one) => [one.name, one]) : []);
  // Arguments that differ come first.
  const all = Object.entries(run.args).toSorted(
    ([one], [other]) => Number(changed.has(other)) - Number(changed.has(one)),
  );
  const shown = isWhole ? all : all.slice(0, mostChips);
  return (
    <>
      {shown.map(([name, value]) => {
        const change = changed.get(name);
        const text = harmless(Array.isArray(value) ? value.map(showValue).join(', ') : showValue(value));
        const title = change ? `${name}=${text}\nlast success: ${change.a ?? 'not given'}` : `${name}=${text}`;
        return (
          <span key={name} className={styles.argument} title={title}>
            <Chip look="sunk" isMono>
              <span className={styles.label}>{name}=</span>
              {shortWords(text)}
              {change && (
                <span className={styles.late}>
                  {' '}
                  ±<span className="unseen"> differs from the last success</span>
                </span>
              )}
            </Chip>
          </span>
        );
      })}
      <Rest count={all.length - mostChips} what="arguments" isWhole={isWhole} setWhole={setWhole} />
    </>
  );
}
