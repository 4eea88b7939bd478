// What can be done with a run: cancel it, and how far that is; run it again; decide what waits for somebody.

import { type ReactNode, useState } from 'react';
import { Link, useLocation } from 'wouter';
import type { Client } from '../client/client.ts';
import { faultText } from '../client/fault-words.ts';
import type { BodyOf } from '../contract/operations.ts';
import { isFinished } from '../domain/run.ts';
import { Dialog } from './Dialog.tsx';
import { Fault, Time } from './Notes.tsx';
import { useRequestKeys } from './request-keys.ts';
import { useClient } from './session.tsx';
import { jobPath, type Run, runPath, type Step } from './words.ts';

type Act = (action: (client: Client) => Promise<unknown>) => void;

export function RunActions({ run, again }: { readonly run: Run; readonly again: () => void }): ReactNode {
  const client = useClient();
  const [, navigate] = useLocation();
  const once = useRequestKeys();
  const [fault, setFault] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const path = { run_id: run.run_id };
  const isOver = isFinished(run.status);

  const act: Act = (action) => {
    setBusy(true);
    setFault(null);
    action(client)
      .catch((error: unknown) => setFault(faultText(error)))
      .finally(() => {
        setBusy(false);
        again();
      });
  };
  const rerun = (body: BodyOf<'rerunRun'>): void =>
    act(async () => {
      const { run_id: runId } = await once(JSON.stringify({ path, body }), (headers) =>
        client.call('rerunRun', { path, body, headers }),
      );
      navigate(runPath(runId));
    });
  const isCancelling = run.cancel_requested_at !== null && !isOver;
  return (
    <>
      <div className="actions">
        {!isOver && !isCancelling && (
          <button type="button" className="danger" disabled={isBusy} onClick={() => setAsking(true)}>
            Cancel
          </button>
        )}
        {isCancelling && (
          <button
            type="button"
            className="danger"
            disabled={isBusy}
            onClick={() => act(() => client.call('cancelRun', { path, query: { force: true } }))}
          >
            Kill now
          </button>
        )}
        {isOver && (
          <>
            <button type="button" disabled={isBusy} onClick={() => rerun({ from: 'start' })}>
              Rerun
            </button>
            {run.status === 'failed' && run.steps.length > 1 && (
              <button type="button" disabled={isBusy} onClick={() => rerun({ from: 'failed' })}>
                Rerun what failed
              </button>
            )}
            {run.steps.length > 1 && (
              <select
                aria-label="Rerun from a step"
                value=""
                disabled={isBusy}
                onChange={(event) => rerun({ from: { step: event.target.value } })}
              >
                <option value="">Rerun from…</option>
                {run.steps
                  .filter((step) => step.instance_of === null)
                  .map((step) => (
                    <option key={step.step_id}>{step.step_id}</option>
                  ))}
              </select>
            )}
          </>
        )}
        <Link
          className="button"
          href={`${jobPath(run.job_id)}?${isOver ? 'rerun' : 'from'}=${encodeURIComponent(run.run_id)}`}
        >
          {isOver ? 'Rerun with edits' : 'Start another with edits'}
        </Link>
      </div>
      {fault !== null && <Fault text={fault} />}
      <Ladder run={run} />
      {run.steps
        .filter(({ status }) => status === 'waiting_approval')
        .map((step) => (
          <Approval key={step.step_id} run={run} step={step} act={act} isBusy={isBusy} />
        ))}
      {isAsking && (
        <Dialog title="Cancel this run?" close={() => setAsking(false)}>
          <p>Its processes are told to end, and killed once its grace period is over.</p>
          <div className="actions">
            <button
              type="button"
              className="danger"
              onClick={() => {
                setAsking(false);
                // It answers when the processes are gone; the page shows how far that is meanwhile.
                act(() => client.call('cancelRun', { path }));
                setTimeout(again, 300);
              }}
            >
              Cancel the run
            </button>
            <button type="button" onClick={() => setAsking(false)}>
              Leave it
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}

/** Each signal that was sent, and the proof that nothing is left. */
function Ladder({ run }: { readonly run: Run }): ReactNode {
  if (run.cancel_requested_at === null) return null;
  const ended = [run.termination, ...run.steps.map(({ termination }) => termination)].find((one) => one !== null);
  return (
    <ol className="ladder" aria-label="Cancel">
      <li>
        asked for <Time at={run.cancel_requested_at} />
      </li>
      {ended?.signals.map(({ signal, at, processes }) => (
        <li key={`${signal} ${at}`}>
          SIG{signal.replace(/^SIG/, '')} to {processes} {processes === 1 ? 'process' : 'processes'}
        </li>
      ))}
      {ended && <li>{ended.remaining === 0 ? 'no process is left' : `${ended.remaining} processes are left`}</li>}
    </ol>
  );
}

function Approval(o: {
  readonly run: Run;
  readonly step: Step;
  readonly act: Act;
  readonly isBusy: boolean;
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
        <strong>{step.step_id}</strong> waits for an approval{step.message === null ? '.' : `: ${step.message}`}
      </p>
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
    </section>
  );
}
