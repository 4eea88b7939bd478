// Sends requests that change something on the server. Says whether a request is in progress, and why the last request
// failed.

import { useState } from 'react';
import type { Client } from '../../client/client.ts';
import { errorText } from '../../client/error-words.ts';
import { useClient } from './session.tsx';

export type Actions = {
  /** Resolves when the request has ended, even if it failed. */
  readonly act: (change: (client: Client) => Promise<unknown>) => Promise<void>;
  readonly isBusy: boolean;
  /** Why the last request failed; null: it did not fail. */
  readonly error: string | null;
};

/** @param changed is called after each request, to refresh the answers on the page */
export function useActions(changed: () => void): Actions {
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
