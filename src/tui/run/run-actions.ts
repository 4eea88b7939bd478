// What can be done with a run, asked for once more before it is done.

import { useState } from 'react';
import { errorText } from '../../client/error-words.ts';
import { isFinished } from '../../domain/run.ts';
import type { Span } from '../line.ts';
import type { Press } from '../presses.ts';
import { useSurroundings } from '../screen.ts';
import type { TextEdit } from '../text-edit.ts';
import { type Approval, approvalWords, changedApproval, toDecision } from './approval.ts';
import { type RunAnswer, waitingSteps } from './run-parts.ts';

export type RunActions = {
  /** Those that there are for the run as it is, for the footer. */
  readonly keys: string;
  /** A step waits to be approved or denied. */
  readonly isWaitedFor: boolean;
  /** For the footer, while something is asked. */
  readonly question: string | null;
  /** What is typed for it. */
  readonly typing: TextEdit | null;
  /** How the last one goes, where that is not to be seen. */
  readonly note: string | null;
  /** What went wrong with the last one. */
  readonly error: Span | null;
  /** true: the press was for one of them. */
  readonly take: (press: Press) => boolean;
};

const questions = {
  cancel: 'Cancel this run?   y: yes   n: no',
  kill: 'Kill it at once?   y: yes   n: no',
  rerun: 'Run again?   a: all of it   f: from what failed   n: no',
} as const;

/** @param chosenStep the one that an approval is for, where it waits for one */
export function useRunActions(runId: string, run: RunAnswer | null, chosenStep: string | undefined): RunActions {
  const { columns } = useSurroundings();
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

  function answer(key: string): void {
    setAsked(null);
    if (asked === 'cancel' && key === 'y') requests.cancel();
    if (asked === 'kill' && key === 'y') requests.kill();
    if (asked === 'rerun' && key === 'a') requests.rerun('start');
    if (asked === 'rerun' && key === 'f') requests.rerun('failed');
  }

  return {
    keys: isOver ? 'r: again' : isCancelling ? 'c: kill' : 'c: cancel',
    isWaitedFor: waiting.length > 0,
    question: approval ? approvalWords(approval, waiting, columns) : asked && questions[asked],
    typing: approval?.comment ?? null,
    note: requests.note,
    error: error === null ? null : { text: error, colour: 'red' },
    take(press) {
      const { key } = press;
      requests.forgetError();
      if (approval) answerApproval(approval, press);
      else if (asked) answer(key);
      else if (waiting[0] && (key === 'a' || key === 'd')) {
        const { step_id: stepId } = waiting.find(({ step_id: id }) => id === chosenStep) ?? waiting[0];
        setApproval({ decision: key === 'a' ? 'approve' : 'deny', stepId, comment: null });
      } else if (!run || (key !== 'c' && key !== 'r')) return false;
      else if (key === 'c' && isOver) requests.say('It is finished.');
      else if (key === 'r' && !isOver) requests.say('It is not finished yet.');
      else setAsked(key === 'r' ? 'rerun' : isCancelling ? 'kill' : 'cancel');
      return true;
    },
  };
}

/** What is asked of the server, and what has become of it. */
function useRunRequests(runId: string) {
  const { client, open, attend } = useSurroundings();
  const [note, setNote] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [hasCancelled, setCancelled] = useState(false);
  const path = { run_id: runId };

  async function act(doing: string, action: () => Promise<string | null>): Promise<void> {
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
      return status === 'cancelled' ? null : 'Its processes have been told to end, and are still there.';
    } catch (error) {
      setCancelled(false);
      throw error;
    }
  };
  const kill = async (): Promise<string | null> => {
    const { status } = await client.call('cancelRun', { path, query: { force: true } });
    return status === 'cancelled' ? null : 'Its processes have been killed, and are still there.';
  };
  const rerun = async (from: 'start' | 'failed'): Promise<null> => {
    const { run_id: newId } = await client.call('rerunRun', { path, body: { from } });
    attend(newId);
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
    cancel: () => void act('Cancelling…', cancel),
    kill: () => void act('Killing…', kill),
    rerun: (from: 'start' | 'failed') => void act('Starting…', () => rerun(from)),
    decide: (decided: Approval) =>
      void act(decided.decision === 'approve' ? 'Approving…' : 'Denying…', () => decide(decided)),
  };
}
