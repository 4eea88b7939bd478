// Who is at the console: the way to the server, with a token where one was given for this tab.

import { createContext, type ReactNode, useContext, useMemo, useRef, useState } from 'react';
import { problemOf } from '../client/api-problem.ts';
import { type Client, createClient } from '../client/client.ts';

type Session = {
  readonly client: Client;
  readonly hasToken: boolean;
  /** Why the server asks who is there; null: it does not. */
  readonly refusal: string | null;
  readonly signIn: (token: string) => void;
  readonly signOut: () => void;
};

/** Of the tab alone, gone with it, and sent by this page's own calls alone: no cookie that another page could ride on. */
const storageKey = 'flwd.token';

const SessionContext = createContext<Session | null>(null);

export function SessionProvider({ children }: { readonly children: ReactNode }): ReactNode {
  const [token, setToken] = useState(() => sessionStorage.getItem(storageKey));
  const [refusal, setRefusal] = useState<string | null>(null);
  const latestToken = useRef(token);
  latestToken.current = token;
  const client = useMemo(
    () =>
      createClient({
        baseUrl: location.origin,
        ...(token !== null && { token }),
        async fetch(url, init) {
          const response = await fetch(url, init);
          if (response.status === 401) {
            const { message } = await problemOf(response.clone());
            // Of whoever was here before, it says nothing about who is now.
            if (latestToken.current === token) setRefusal(message);
          }
          return response;
        },
      }),
    [token],
  );
  const session = useMemo((): Session => {
    const change = (given: string | null): void => {
      if (given === null) sessionStorage.removeItem(storageKey);
      else sessionStorage.setItem(storageKey, given);
      setToken(given);
      setRefusal(null);
    };
    return { client, hasToken: token !== null, refusal, signIn: change, signOut: () => change(null) };
  }, [client, token, refusal]);
  return <SessionContext value={session}>{children}</SessionContext>;
}

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('It is drawn outside the session.');
  return session;
}

export function useClient(): Client {
  return useSession().client;
}
