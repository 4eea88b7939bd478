// Who is at the console: the way to the server, with a token where one was given for this tab.

import { createContext, type ReactNode, useContext, useMemo, useState } from 'react';
import { ApiProblem, problemOf } from '../../client/api-problem.ts';
import { type Client, createClient, type Fetch } from '../../client/client.ts';
import { errorText } from '../../client/error-words.ts';
import { noteServerTime } from './clock.ts';

type Session = {
  readonly client: Client;
  readonly hasToken: boolean;
  /** With a token that has not been refused. */
  readonly isSignedIn: boolean;
  /** Why the server asks who is there; null: it does not. */
  readonly refusal: string | null;
  /** @returns why it is refused; null: it is let in */
  readonly signIn: (token: string) => Promise<string | null>;
  /** Not now: the next call that needs it asks again. */
  readonly leaveIt: () => void;
  /** Grows when somebody has signed out, and is to see nothing more. */
  readonly departures: number;
  readonly signOut: () => void;
};

/** Of the tab alone, gone with it, and sent by this page's own calls alone: no cookie that another page could ride on. */
const storageKey = 'flwd.token';

const SessionContext = createContext<Session | null>(null);

export function SessionProvider({ children }: { readonly children: ReactNode }): ReactNode {
  const [token, setToken] = useState(() => sessionStorage.getItem(storageKey));
  const [refusal, setRefusal] = useState<string | null>(null);
  const [refusedToken, setRefusedToken] = useState<string | null>(null);
  const [departures, setDepartures] = useState(0);
  const client = useMemo(
    () =>
      clientWith(token, async (url, init) => {
        const response = await fetch(url, init);
        noteServerTime(response.headers.get('date'));
        if (response.status === 401) {
          const { message } = await problemOf(response.clone());
          // The answer to a token that has been replaced meanwhile says nothing of the new one.
          if (sessionStorage.getItem(storageKey) === token) {
            setRefusal(message);
            setRefusedToken(token);
          }
        }
        return response;
      }),
    [token],
  );
  const session = useMemo(
    (): Session => ({
      client,
      hasToken: token !== null,
      isSignedIn: token !== null && token !== refusedToken,
      refusal,
      departures,
      async signIn(given) {
        try {
          await clientWith(given, fetch).call('listRuns', { query: { limit: 1 }, signal: AbortSignal.timeout(30_000) });
        } catch (error) {
          // What it may not do is no matter: the server knows it.
          if (!(error instanceof ApiProblem && error.status === 403)) return errorText(error);
        }
        sessionStorage.setItem(storageKey, given);
        setToken(given);
        setRefusal(null);
        setRefusedToken(null);
        return null;
      },
      leaveIt: () => setRefusal(null),
      signOut() {
        sessionStorage.removeItem(storageKey);
        setToken(null);
        setRefusal(null);
        setDepartures((count) => count + 1);
      },
    }),
    [client, token, refusal, refusedToken, departures],
  );
  return <SessionContext value={session}>{children}</SessionContext>;
}

function clientWith(token: string | null, fetchBy: Fetch): Client {
  return createClient({
    baseUrl: location.origin,
    client: 'console',
    ...(token !== null && { token }),
    fetch: fetchBy,
  });
}

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('It is drawn outside the session.');
  return session;
}

export function useClient(): Client {
  return useSession().client;
}
