// The actions on a run. Each asks for confirmation.

import { useEffect, useState } from 'react';
import { errorText } from '../../client/error-words.ts';
import { isFinished } from '../../domain/run.ts';
import type { Span } from '../line.ts';
import type { Press } from '../presses.ts';
import { useScreenContext } from '../screen.ts';
import type { TextEdit } from '../text-edit.ts';
import { type Approval, approvalWords, changedApproval, toDecision } from './approval.ts';
import { type RunAnswer, waitingSteps } from './run-parts.ts';

export type RunActions = {
  /** The available actions, for the footer. */
  readonly keys: string;
  /** Whether a step waits for approval. */
  readonly isWaitedFor: boolean;
  /** The open question, for the footer. */
  readonly question: string | null;
  /** The comment that is being typed. */
  readonly typing: TextEdit | null;
  /** The progress of the last action, if no other part of the screen shows it. */
  readonly note: string | null;
  /** Why the last action failed. */
  readonly error: Span | null;
  /** Returns true if an action has handled the press. */
  readonly take: (press: Press) => boolean;
};

const questions = {
  cancel: 'Cancel this run?   y: yes   n: no',
  kill: 'Kill this run now?   y: yes   n: no',
  rerun: 'Rerun?   a: all steps   f: failed steps   n: no',
  rerunSuccess: 'Rerun?   a: all steps   n: no',
} as const;

/** @param chosenStep - the step to approve or deny, if it waits for approval */
export function useRunActions(runId: string, run: RunAnswer | null, chosenStep: string | undefined): RunActions {
  const { columns } = useScreenContext();
  const [asked, setAsked] = useState<keyof typeof questions | null>(null);
  const [approval, setApproval] = useState<Approval | null>(null);
  const requests = useRunRequests(runId);
  const { error } = requests;
  const isOver = run !== null && isFinished(run.status);
  const isCancelling = !isOver && (requests.hasCancelled || (run?.cancel_requested_at ?? null) !== null);
  const waiting = run ? waitingSteps(run) : [];

  function answerApproval(asked: Approval, press: Press): void {
    const next = changedApproval(asked, press, waiting);
    setApproval(next === 'decided' ? null : next);
    if (next === 'decided') requests.decide(asked);
  }

  /** A key that is no answer leaves the question open. */
  function answer(question: keyof typeof questions, key: string): void {
    const all = () => requests.rerun('start');
    const answers: Readonly<Record<keyof typeof questions, Readonly<Record<string, () => void>>>> = {
      cancel: { y: requests.cancel },
      kill: { y: requests.kill },
      rerun: { a: all, f: () => requests.rerun('failed') },
      rerunSuccess: { a: all },
    };
    const act = answers[question][key];
    if (act || key === 'n' || key === 'esc') setAsked(null);
    act?.();
  }

  return {
    keys: isOver ? 'r: rerun' : isCancelling ? 'c: kill' : 'c: cancel',
    isWaitedFor: waiting.length > 0,
    question: approval ? approvalWords(approval, waiting, columns) : asked && questions[asked],
    typing: approval?.comment ?? null,
    note: requests.note,
    error: error === null ? null : { text: error, colour: 'red' },
    take(press) {
      const { key } = press;
      requests.forgetError();
      if (approval) answerApproval(approval, press);
      else if (asked) answer(asked, key);
      else if (waiting[0] && (key === 'a' || key === 'd')) {
        const { step_id: stepId } = waiting.find(({ step_id: id }) => id === chosenStep) ?? waiting[0];
        setApproval({ decision: key === 'a' ? 'approve' : 'deny', stepId, comment: null });
      } else if (!run || (key !== 'c' && key !== 'r')) return false;
      else if (key === 'c' && isOver) requests.say('The run has finished.');
      else if (key === 'r' && !isOver) requests.say('The run has not finished yet.');
      else if (key === 'r') setAsked(run.status === 'success' ? 'rerunSuccess' : 'rerun');
      else setAsked(isCancelling ? 'kill' : 'cancel');
      return true;
    },
  };
}

/** Sends the requests for the actions, and returns their outcome. */
function useRunRequests(runId: string) {
  const { client, open, ensureStarted, epoch } = useScreenContext();
  const [note, setNote] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [hasCancelled, setCancelled] = useState(false);
  const path = { run_id: runId };
  // Once the server is reachable again, the error of an earlier action is removed.
  useEffect(() => setError(null), [epoch]);

  async function perform(doing: string, action: () => Promise<string | null>): Promise<void> {
    setNote(doing);
    try {
      setNote(await action());
    } catch (error) {
      setNote(null);
      setError(errorText(error));
    }
  }
  const cancel = async (): Promise<string | null> => {
    setCancelled(true);
    try {
      const { status } = await client.call('cancelRun', { path });
      return status === 'cancelled' ? null : 'Its processes were asked to stop and are still running.';
    } catch (error) {
      setCancelled(false);
      throw error;
    }
  };
  const kill = async (): Promise<string | null> => {
    const { status } = await client.call('cancelRun', { path, query: { force: true } });
    return status === 'cancelled' ? null : 'Its processes were killed but have not ended yet.';
  };
  const rerun = async (from: 'start' | 'failed'): Promise<null> => {
    const { run_id: newId } = await client.call('rerunRun', { path, body: { from } });
    ensureStarted(newId);
    open({ name: 'run', runId: newId });
    return null;
  };
  const decide = async (decided: Approval): Promise<null> => {
    await client.call('approveRun', { path, body: toDecision(decided) });
    return null;
  };
  return {
    note,
    say: setNote,
    error,
    forgetError: () => setError(null),
    hasCancelled,
    cancel: () => void perform('Cancelling…', cancel),
    kill: () => void perform('Killing…', kill),
    rerun: (from: 'start' | 'failed') => void perform('Starting…', () => rerun(from)),
    decide: (decided: Approval) =>
      void perform(decided.decision === 'approve' ? 'Approving…' : 'Denying…', () => decide(decided)),
  };
}
