// The actions on a run: cancel it and follow the cancellation, rerun it, approve or deny its steps.

import { type ReactNode, useEffect, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import type { Client } from '../../client/client.ts';
import { errorText } from '../../client/error-words.ts';
import { leftWords } from '../../client/left-words.ts';
import type { BodyOf } from '../../contract/operations.ts';
import { isFinished } from '../../domain/run.ts';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useRequestKeys } from '../session/request-keys.ts';
import { useScopes } from '../session/scopes.ts';
import { useClient } from '../session/session.tsx';
import { Confirm } from '../widgets/Dialog.tsx';
import { ErrorNote, Time } from '../widgets/Notes.tsx';
import { jobPath, type Run, runPath, type Step } from '../words.ts';
import { type Happened, readRunEvents } from './run-events.ts';

type Act = (action: (client: Client) => Promise<unknown>) => void;

export function RunActions({ run }: { readonly run: Run }): ReactNode {
  const refresh = useRefresh();
  const refreshRun = (): void => refresh({ queryKey: ['run', run.run_id] });
  const [error, setError] = useState<string | null>(null);
  const [isAsking, setAsking] = useState(false);
  const cancels = useCancels(run, refreshRun, setError);
  const { act, isBusy } = useAct(refreshRun, setError);
  const isOver = isFinished(run.status);
  const may = useScopes();
  return (
    <>
      {may('runs:write') && (
        <div className="actions">
          {isOver ? (
            <RerunButtons run={run} act={act} isBusy={isBusy} />
          ) : (
            <CancelButton run={run} cancels={cancels} ask={() => setAsking(true)} />
          )}
          <Link
            className="button"
            href={`${jobPath(run.job_id)}?${isOver ? 'rerun' : 'from'}=${encodeURIComponent(run.run_id)}`}
          >
            {isOver ? 'Rerun with edits' : 'Start with these arguments'}
          </Link>
        </div>
      )}
      {error !== null && <ErrorNote text={error} />}
      {(cancels.isAsked || run.cancel_requested_at !== null) && <CancelProgress run={run} asks={cancels.asks} />}
      {run.steps
        .filter(({ status }) => status === 'waiting_approval')
        .map((step) => (
          <Approval
            key={step.step_id}
            run={run}
            step={step}
            act={act}
            isBusy={isBusy}
            mayDecide={may('runs:approve') === true}
          />
        ))}
      {isAsking && (
        <Confirm
          title="Cancel this run?"
          text="The server asks its processes to stop, and kills them when the grace period is over."
          yes="Cancel the run"
          no="Keep running"
          confirm={cancels.cancel}
          close={() => setAsking(false)}
        />
      )}
    </>
  );
}

type SetError = (error: string | null) => void;

function useAct(refreshRun: () => void, setError: SetError): { readonly act: Act; readonly isBusy: boolean } {
  const client = useClient();
  const [isBusy, setBusy] = useState(false);
  const act: Act = (action) => {
    setBusy(true);
    setError(null);
    action(client)
      .catch((error: unknown) => setError(errorText(error)))
      .finally(() => {
        setBusy(false);
        refreshRun();
      });
  };
  return { act, isBusy };
}

type Cancels = {
  readonly cancel: () => void;
  readonly kill: () => void;
  readonly isAsked: boolean;
  readonly isKilling: boolean;
  /** How often the user has asked for one of the two. */
  readonly asks: number;
};

/** The server answers when the processes are gone. Meanwhile the page shows the progress. */
function useCancels(run: Run, refreshRun: () => void, setError: SetError): Cancels {
  const client = useClient();
  const [isAsked, setAsked] = useState(false);
  const [isKilling, setKilling] = useState(false);
  const [asks, setAsks] = useState(0);
  const end = (query: { force?: boolean }, setGoing: (isGoing: boolean) => void): void => {
    setGoing(true);
    setAsks((count) => count + 1);
    setError(null);
    client
      .call('cancelRun', { path: { run_id: run.run_id }, query })
      .catch((error: unknown) => setError(errorText(error)))
      .finally(() => {
        setGoing(false);
        refreshRun();
      });
    setTimeout(refreshRun, 300);
  };
  return { cancel: () => end({}, setAsked), kill: () => end({ force: true }, setKilling), isAsked, isKilling, asks };
}

function CancelButton(o: { readonly run: Run; readonly cancels: Cancels; readonly ask: () => void }): ReactNode {
  const { isAsked, isKilling, kill } = o.cancels;
  return o.run.cancel_requested_at === null ? (
    <button key="cancel" type="button" className="danger" disabled={isAsked} onClick={o.ask}>
      Cancel
    </button>
  ) : (
    <button key="kill" type="button" className="danger" disabled={isKilling} onClick={kill}>
      Kill now
    </button>
  );
}

function RerunButtons(o: { readonly run: Run; readonly act: Act; readonly isBusy: boolean }): ReactNode {
  const { run, isBusy } = o;
  const [, navigate] = useLocation();
  const once = useRequestKeys();
  const [fromStep, setFromStep] = useState('');
  const path = { run_id: run.run_id };
  const rerun = (body: BodyOf<'rerunRun'>): void =>
    o.act(async (client) => {
      const { run_id: runId } = await once(JSON.stringify({ path, body }), (headers) =>
        client.call('rerunRun', { path, body, headers }),
      );
      navigate(runPath(runId));
    });
  return (
    <>
      <button type="button" disabled={isBusy} onClick={() => rerun({ from: 'start' })}>
        Rerun
      </button>
      {run.status === 'failed' && run.steps.length > 1 && (
        <button type="button" disabled={isBusy} onClick={() => rerun({ from: 'failed' })}>
          Rerun failed steps
        </button>
      )}
      {run.steps.length > 1 && (
        <select
          aria-label="Step to rerun from"
          value={fromStep}
          disabled={isBusy}
          onChange={(event) => setFromStep(event.target.value)}
        >
          <option value="">Rerun from…</option>
          {run.steps
            .filter((step) => step.instance_of === null)
            .map((step) => (
              <option key={step.step_id}>{step.step_id}</option>
            ))}
        </select>
      )}
      {fromStep !== '' && (
        <button type="button" disabled={isBusy} onClick={() => rerun({ from: { step: fromStep } })}>
          Rerun from {fromStep}
        </button>
      )}
    </>
  );
}

type Rung = { readonly at: string; readonly stepId: string | null; readonly text: string };

/** Lists each signal as it is sent, and the proof that no process is left. */
function CancelProgress({ run, asks }: { readonly run: Run; readonly asks: number }): ReactNode {
  const list = useRef<HTMLOListElement>(null);
  // The button that the user pressed is gone, and the focus with it.
  useEffect(() => {
    if (asks > 0) list.current?.focus();
  }, [asks]);
  const isOver = isFinished(run.status);
  const { data: live } = useAnswer(
    ['run', run.run_id, 'cancelling'],
    (client, signal) => readRunEvents(client, { runId: run.run_id, types: ['run.cancelling'], signal }),
    { enabled: !isOver },
  );
  const rungs = isOver ? rungsOf(run) : (live ?? []).flatMap(toRung);
  const ends = terminationsOf(run).map(({ ended }) => ended);
  const remaining = ends.reduce((sum, ended) => sum + ended.remaining, 0);
  const proven = ends.every((ended) => ended.proven !== false);
  return (
    <ol className="ladder" aria-label="Cancel" tabIndex={-1} ref={list}>
      <li>requested {run.cancel_requested_at !== null && <Time at={run.cancel_requested_at} />}</li>
      {rungs.map(({ at, stepId, text }, index) => (
        <li key={`${at} ${index}`}>
          {run.steps.length > 1 && stepId !== null && (
            <>
              <code>{stepId}</code>:{' '}
            </>
          )}
          {text}
        </li>
      ))}
      {isOver && <li>{leftWords({ remaining, proven })}</li>}
    </ol>
  );
}

type Ended = { readonly stepId: string | null; readonly ended: NonNullable<Run['termination']> };

/** The terminations since the cancel was requested: that of the run itself, or those of its steps. */
function terminationsOf(run: Run): Ended[] {
  const ofSteps = run.steps.map(({ step_id: stepId, termination }) => ({ stepId, termination }));
  const all = ofSteps.some(({ termination }) => termination !== null)
    ? ofSteps
    : [{ stepId: null, termination: run.termination }];
  return all.flatMap(({ stepId, termination: ended }) =>
    ended && Date.parse(ended.finished_at) >= Date.parse(run.cancel_requested_at ?? '') ? [{ stepId, ended }] : [],
  );
}

function rungsOf(run: Run): Rung[] {
  const rungs = terminationsOf(run).flatMap(({ stepId, ended }) =>
    ended.signals.map(({ signal, at, processes }) => ({
      at,
      stepId,
      text: `sent SIG${signal.replace(/^SIG/, '')} to ${processes} ${processes === 1 ? 'process' : 'processes'}`,
    })),
  );
  return rungs.toSorted((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

/** Empty for the event that only reports the request. */
function toRung({ timestamp, step_id: stepId, message }: Happened): Rung[] {
  if (typeof message !== 'string') return [];
  const text = message.replace(/^sent (?!SIG)/, 'sent SIG');
  return [{ at: String(timestamp), stepId: typeof stepId === 'string' ? stepId : null, text }];
}

function Approval(o: {
  readonly run: Run;
  readonly step: Step;
  readonly act: Act;
  readonly isBusy: boolean;
  readonly mayDecide: boolean;
}): ReactNode {
  const { step } = o;
  const [comment, setComment] = useState('');
  const decide = (decision: 'approve' | 'deny'): void =>
    o.act((client) =>
      client.call('approveRun', {
        path: { run_id: o.run.run_id },
        body: { step_id: step.step_id, decision, ...(comment !== '' && { comment }) },
      }),
    );
  return (
    <section className="note note-wait" aria-label={`Approval of ${step.step_id}`}>
      <p>
        <strong>{step.step_id}</strong> is waiting for approval{step.message === null ? '.' : `: ${step.message}`}
      </p>
      {o.mayDecide && (
        <>
          <label>
            Comment <input type="text" value={comment} onChange={(event) => setComment(event.target.value)} />
          </label>
          <div className="actions">
            <button type="button" className="primary" disabled={o.isBusy} onClick={() => decide('approve')}>
              Approve
            </button>
            <button type="button" className="danger" disabled={o.isBusy} onClick={() => decide('deny')}>
              Deny
            </button>
          </div>
        </>
      )}
    </section>
  );
}
