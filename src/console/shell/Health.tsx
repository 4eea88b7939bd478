// In the header: how the server is, or that it is not there.

import { type ReactNode, useEffect, useState } from 'react';
import { Link } from 'wouter';
import { useSession } from '../session/session.tsx';
import { useVisible } from '../session/streams.ts';

const everyMs = 5_000;
/** A server that takes the connection and says nothing is as good as none. */
const timeoutMs = 5_000;

type State = { readonly look: 'good' | 'wait' | 'bad'; readonly word: string };

export function Health(): ReactNode {
  const { client, hasToken, isSignedIn, refusal } = useSession();
  // It would be refused again, and whoever has put the sign-in away be asked again.
  const isShutOut = refusal !== null || (hasToken && !isSignedIn);
  const isVisible = useVisible();
  const [state, setState] = useState<State>({ look: 'wait', word: 'connecting' });
  useEffect(() => {
    if (!isVisible || isShutOut) return undefined;
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(timeoutMs)]);
      const found = await client.call('getHealth', { signal }).then(
        ({ status }): State => ({ look: status === 'healthy' ? 'good' : 'wait', word: status }),
        (error: unknown): State =>
          error instanceof Error && error.name === 'ApiProblem'
            ? { look: 'bad', word: 'unhealthy' }
            : { look: 'bad', word: 'unreachable' },
      );
      if (ending.signal.aborted) return;
      setState(found);
      timer = setTimeout(() => void look(), everyMs);
    };
    void look();
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [client, isVisible, isShutOut]);
  if (isShutOut) return null;
  return (
    <Link href="/system" className={`health health-${state.look}`}>
      <span aria-hidden="true">●</span> <span className="wide-only">server </span>
      <span role="status" className={state.look === 'good' ? 'unseen-narrow' : ''}>
        {state.word}
      </span>
    </Link>
  );
}
