// What can be done with a run, asked for once more before it is done.

import { useState } from 'react';
import { isFinished } from '../domain/run.ts';
import type { Span } from './line.ts';
import type { Press } from './presses.ts';
import type { RunAnswer } from './run-parts.ts';
import { useSurroundings } from './screen.ts';
import { faultText } from './words.ts';

export type RunActions = {
  /** Those that there are for the run as it is, for the footer. */
  readonly keys: string;
  /** For the footer, while something is asked. */
  readonly question: string | null;
  /** How the last one goes, where that is not to be seen. */
  readonly note: string | null;
  /** What went wrong with the last one. */
  readonly fault: Span | null;
  /** true: the press was for one of them. */
  readonly take: (press: Press) => boolean;
};

const questions = {
  cancel: 'Cancel this run?   y: yes   n: no',
  kill: 'Kill it at once?   y: yes   n: no',
  rerun: 'Run again?   a: all of it   f: from what failed   n: no',
} as const;

export function useRunActions(runId: string, run: RunAnswer | null): RunActions {
  const { client, open, attend } = useSurroundings();
  const [asked, setAsked] = useState<keyof typeof questions | null>(null);
  const [note, setNote] = useState<string | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const [hasCancelled, setCancelled] = useState(false);
  const isOver = run !== null && isFinished(run.status);
  const isCancelling = !isOver && (hasCancelled || (run?.cancel_requested_at ?? null) !== null);

  async function act(doing: string, action: () => Promise<string | null>): Promise<void> {
    setNote(doing);
    try {
      setNote(await action());
    } catch (error) {
      setNote(null);
      setFault(faultText(error));
    }
  }
  const path = { run_id: runId };
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

  function answer(key: string): void {
    setAsked(null);
    if (asked === 'cancel' && key === 'y') void act('Cancelling…', cancel);
    if (asked === 'kill' && key === 'y') void act('Killing…', kill);
    if (asked === 'rerun' && key === 'a') void act('Starting…', () => rerun('start'));
    if (asked === 'rerun' && key === 'f') void act('Starting…', () => rerun('failed'));
  }

  return {
    keys: isOver ? 'r: again' : isCancelling ? 'c: kill' : 'c: cancel',
    question: asked && questions[asked],
    note,
    fault: fault === null ? null : { text: fault, colour: 'red' },
    take({ key }) {
      setFault(null);
      if (asked) {
        answer(key);
        return true;
      }
      if (!run || (key !== 'c' && key !== 'r')) return false;
      if (key === 'c' && isOver) setNote('It is finished.');
      else if (key === 'r' && !isOver) setNote('It is not finished yet.');
      else setAsked(key === 'r' ? 'rerun' : isCancelling ? 'kill' : 'cancel');
      return true;
    },
  };
}
