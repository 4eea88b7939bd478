// Sends what a button asks for, one act at a time, and reads the run again afterwards.

import { useState } from 'react';
import type { Client } from '../../client/client.ts';
import { errorText } from '../../client/error-words.ts';
import { useClient } from '../session/session.tsx';

export type Act = (action: (client: Client) => Promise<unknown>) => void;
export type SetError = (error: string | null) => void;

export function useAct(refreshRun: () => void, setError: SetError): { readonly act: Act; readonly isBusy: boolean } {
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
