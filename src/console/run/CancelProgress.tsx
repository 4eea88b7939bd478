// Shows how a run was cancelled: when each signal was sent, and the proof that no process is left.

import { type ReactNode, useEffect, useRef } from 'react';
import { leftWords } from '../../client/left-words.ts';
import { byRequester } from '../../domain/outcome/cancel-request.ts';
import { isFinished } from '../../domain/run.ts';
import { Card } from '../design/text/Card.tsx';
import { useAnswer } from '../session/answers.tsx';
import { clockTime, harmless, type Run } from '../words.ts';
import styles from './CancelProgress.module.css';
import { type RunEvent, readRunEvents } from './run-events.ts';

type Signal = { readonly at: string; readonly stepId: string | null; readonly text: string };

export function CancelProgress({ run, asks }: { readonly run: Run; readonly asks: number }): ReactNode {
  const list = useRef<HTMLOListElement>(null);
  // The button that the user pressed has disappeared, so the list takes the focus.
  useEffect(() => {
    if (asks > 0) list.current?.focus();
  }, [asks]);
  const isOver = isFinished(run.status);
  const { data: live } = useAnswer(
    ['run', run.run_id, 'cancelling'],
    (client, signal) => readRunEvents(client, { runId: run.run_id, types: ['run.cancelling'], signal }),
    { enabled: !isOver },
  );
  const signals = isOver ? signalsOf(run) : (live ?? []).flatMap(toSignal);
  const ends = terminationsOf(run).map(({ ended }) => ended);
  const remaining = ends.reduce((sum, ended) => sum + ended.remaining, 0);
  const proven = ends.every((ended) => ended.proven !== false);
  return (
    <Card title="How it was cancelled">
      <ol className={styles.list} aria-label="Cancel" tabIndex={-1} ref={list}>
        <li>
          <Clock at={run.cancel_requested_at} />
          <span>requested{harmless(byRequester(run))}</span>
        </li>
        {signals.map(({ at, stepId, text }, index) => (
          <li key={`${at} ${index}`}>
            <Clock at={at} />
            <span>
              {run.steps.length > 1 && stepId !== null && (
                <>
                  <code>{stepId}</code>:{' '}
                </>
              )}
              {text}
            </span>
          </li>
        ))}
        {isOver && (
          <li>
            <Clock at={run.finished_at} />
            <span>{leftWords({ remaining, proven })}</span>
          </li>
        )}
      </ol>
    </Card>
  );
}

function Clock({ at }: { readonly at: string | null }): ReactNode {
  return at === null ? <span /> : <time dateTime={at}>{clockTime(at)}</time>;
}

type Ended = { readonly stepId: string | null; readonly ended: NonNullable<Run['termination']> };

/**
 * Returns the terminations of the steps or, if no step has one, the termination of the run. Leaves out those from
 * before the request to cancel.
 */
function terminationsOf(run: Run): Ended[] {
  const ofSteps = run.steps.map(({ step_id: stepId, termination }) => ({ stepId, termination }));
  const all = ofSteps.some(({ termination }) => termination !== null)
    ? ofSteps
    : [{ stepId: null, termination: run.termination }];
  return all.flatMap(({ stepId, termination: ended }) =>
    ended && Date.parse(ended.finished_at) >= Date.parse(run.cancel_requested_at ?? '') ? [{ stepId, ended }] : [],
  );
}

function signalsOf(run: Run): Signal[] {
  const signals = terminationsOf(run).flatMap(({ stepId, ended }) =>
    ended.signals.map(({ signal, at, processes }) => ({
      at,
      stepId,
      text: `sent SIG${signal.replace(/^SIG/, '')} to ${processes} ${processes === 1 ? 'process' : 'processes'}`,
    })),
  );
  return signals.toSorted((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

/** Converts an event to a signal. Returns nothing for the event that only reports the request to cancel. */
function toSignal({ timestamp, step_id: stepId, message }: RunEvent): Signal[] {
  if (typeof message !== 'string') return [];
  const text = message.replace(/^sent (?!SIG)/, 'sent SIG');
  return [{ at: String(timestamp), stepId: typeof stepId === 'string' ? stepId : null, text }];
}
