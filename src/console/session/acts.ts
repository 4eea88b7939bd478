// Acts that change something on the server: one at a time, with the reason why one failed.

import { useState } from 'react';
import type { Client } from '../../client/client.ts';
import { errorText } from '../../client/error-words.ts';
import { useClient } from './session.tsx';

export type Acts = {
  /** Resolves when the act has ended, also when it failed. */
  readonly act: (change: (client: Client) => Promise<unknown>) => Promise<void>;
  readonly isBusy: boolean;
  /** Why the last act failed. */
  readonly error: string | null;
};

/** @param changed is called after each act, to read the answers again */
export function useActs(changed: () => void): Acts {
  const client = useClient();
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  async function act(change: (client: Client) => Promise<unknown>): Promise<void> {
    setBusy(true);
    setError(null);
    try {
      await change(client);
    } catch (reason) {
      setError(errorText(reason));
    } finally {
      setBusy(false);
      changed();
    }
  }
  return { act, isBusy, error };
}
