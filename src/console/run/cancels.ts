// Cancels or kills a run. The server answers when the processes of the run are gone. Meanwhile, the page shows the
// progress.

import { useState } from 'react';
import { errorText } from '../../client/error-words.ts';
import { useClient } from '../session/session.tsx';
import type { Run } from '../words.ts';

export type Cancels = {
  readonly cancel: () => void;
  readonly kill: () => void;
  readonly isAsked: boolean;
  readonly isKilling: boolean;
  /** How often the user has asked to cancel or to kill the run. */
  readonly asks: number;
  /** Why the last request failed. */
  readonly error: string | null;
};

export function useCancels(run: Run, refreshRun: () => void): Cancels {
  const client = useClient();
  const [isAsked, setAsked] = useState(false);
  const [isKilling, setKilling] = useState(false);
  const [asks, setAsks] = useState(0);
  const [error, setError] = useState<string | null>(null);
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
  const cancel = (): void => end({}, setAsked);
  const kill = (): void => end({ force: true }, setKilling);
  return { cancel, kill, isAsked, isKilling, asks, error };
}
