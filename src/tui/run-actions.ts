// What can be done with a run, asked for once more before it is done.

import { useState } from 'react';
import { faultText } from '../client/fault-words.ts';
import { isFinished } from '../domain/run.ts';
import type { Press } from './presses.ts';
import type { RunAnswer } from './run-parts.ts';
import { useSurroundings } from './screen.ts';

export type RunActions = {
  /** For the footer, while something is asked. */
  readonly question: string | null;
  /** How the last one went, where that is not to be seen. */
  readonly note: string | null;
  /** true: the press was for one of them. */
  readonly take: (press: Press) => boolean;
};

const questions = {
  cancel: 'Cancel this run?   y: yes   n: no',
  rerun: 'Run again?   a: all of it   f: from what failed   n: no',
} as const;

export function useRunActions(runId: string, run: RunAnswer | null): RunActions {
  const { client, open, attend } = useSurroundings();
  const [asked, setAsked] = useState<keyof typeof questions | null>(null);
  const [note, setNote] = useState<string | null>(null);

  async function act(doing: string, action: () => Promise<string | null>): Promise<void> {
    setNote(doing);
    try {
      setNote(await action());
    } catch (error) {
      setNote(faultText(error));
    }
  }
  const path = { run_id: runId };
  const cancel = async (): Promise<string | null> => {
    const { status } = await client.call('cancelRun', { path });
    return status === 'cancelled' ? null : 'Its processes have been told to end, and are still there.';
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
    if (asked === 'rerun' && key === 'a') void act('Starting…', () => rerun('start'));
    if (asked === 'rerun' && key === 'f') void act('Starting…', () => rerun('failed'));
  }

  return {
    question: asked && questions[asked],
    note,
    take({ key }) {
      if (asked) {
        answer(key);
        return true;
      }
      if (!run || (key !== 'c' && key !== 'r')) return false;
      const isOver = isFinished(run.status);
      if (key === 'c' && isOver) setNote('It is finished.');
      else if (key === 'r' && !isOver) setNote('It is not finished yet.');
      else setAsked(key === 'c' ? 'cancel' : 'rerun');
      return true;
    },
  };
}
