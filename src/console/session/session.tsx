// The session: the client that calls the server, with the token of this tab if there is one.

import { createContext, type ReactNode, useContext, useMemo, useRef, useState } from 'react';
import { ApiProblem, problemOf } from '../../client/api-problem.ts';
import { type Client, createClient, type Fetch } from '../../client/client.ts';
import { errorText } from '../../client/error-words.ts';
import { forgetPerson } from '../design/preferences.ts';
import { noteServerTime } from './clock.ts';

type Session = {
  readonly client: Client;
  readonly hasToken: boolean;
  /** Whether there is a token and the server has not refused it. */
  readonly isSignedIn: boolean;
  /** Why the server asks for a token; null: it does not ask. */
  readonly refusal: string | null;
  /** @returns why the token is refused; null: it is accepted */
  readonly signIn: (token: string) => Promise<string | null>;
  /** Closes the sign-in dialog. If a request that is sent later needs a token, the dialog opens again. */
  readonly dismissSignIn: () => void;
  /** How often a user has signed out. Answers and drafts of an earlier user are not shown to the next user. */
  readonly signOuts: number;
  readonly signOut: () => void;
};

/** A request that takes longer counts as lost, for example because the machine slept. It fails and is sent again. */
export const longestAnswerMs = 30_000;

/**
 * The token is kept in this tab's storage and disappears with the tab. There is no cookie, so no other page can use it.
 */
const storageKey = 'flwd.token';

const SessionContext = createContext<Session | null>(null);

export function SessionProvider({ children }: { readonly children: ReactNode }): ReactNode {
  const [token, setToken] = useState(() => sessionStorage.getItem(storageKey));
  const [refusal, setRefusal] = useState<string | null>(null);
  const [refusedToken, setRefusedToken] = useState<string | null>(null);
  const [signOuts, setSignOuts] = useState(0);
  const dismissals = useRef(0);
  const client = useMemo(() => {
    let refused: Response | undefined;
    return clientWith(token, async (url, init) => {
      const before = dismissals.current;
      const answer = await fetch(url, init);
      noteServerTime(answer.headers.get('date'));
      // After too many failed logins the server answers 429. For a 429 the page would try again, so it gets the earlier
      // 401 instead.
      const response = answer.status === 429 && refused ? refused.clone() : answer;
      if (answer.ok) refused = undefined;
      if (response.status === 401) {
        refused ??= response.clone();
        const { message } = await problemOf(response.clone());
        // If the token has been replaced meanwhile, this answer says nothing about the new token.
        if (sessionStorage.getItem(storageKey) === token) {
          setRefusedToken(token);
          // If the user has closed the dialog since this request was sent, it does not open again.
          if (dismissals.current === before) setRefusal(message);
        }
      }
      return response;
    });
  }, [token]);
  const session = useMemo(
    (): Session => ({
      client,
      hasToken: token !== null,
      isSignedIn: token !== null && token !== refusedToken,
      refusal,
      signOuts,
      async signIn(given) {
        try {
          const signal = AbortSignal.timeout(longestAnswerMs);
          await clientWith(given, fetch).call('listRuns', { query: { limit: 1 }, signal });
        } catch (error) {
          // A token that lacks the scope for this request is valid too.
          if (!(error instanceof ApiProblem && error.status === 403)) return errorText(error);
        }
        sessionStorage.setItem(storageKey, given);
        setToken(given);
        setRefusal(null);
        setRefusedToken(null);
        return null;
      },
      dismissSignIn() {
        dismissals.current += 1;
        setRefusal(null);
      },
      signOut() {
        sessionStorage.removeItem(storageKey);
        forgetPerson();
        setToken(null);
        setRefusal(null);
        setSignOuts((count) => count + 1);
      },
    }),
    [client, token, refusal, refusedToken, signOuts],
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
  if (!session) throw new Error('useSession was called outside SessionProvider.');
  return session;
}

export function useClient(): Client {
  return useSession().client;
}
