// In the header: how the server is, or that it is not there.

import { type ReactNode, useEffect, useState } from 'react';
import { Link } from 'wouter';
import { useVisible } from './loading.ts';
import { useSession } from './session.tsx';

const everyMs = 5_000;

type State = { readonly look: 'good' | 'wait' | 'bad'; readonly word: string };

export function Health(): ReactNode {
  const { client, refusal } = useSession();
  const isVisible = useVisible();
  const [state, setState] = useState<State>({ look: 'wait', word: 'connecting' });
  useEffect(() => {
    // Without being let in, nobody is told how the server is.
    if (!isVisible || refusal !== null) return undefined;
    const ending = new AbortController();
    const look = async (): Promise<void> => {
      const found = await client.call('getHealth', { signal: ending.signal }).then(
        ({ status }): State => ({ look: status === 'healthy' ? 'good' : 'wait', word: status }),
        (error: unknown): State =>
          error instanceof Error && error.name === 'ApiProblem'
            ? { look: 'bad', word: 'unhealthy' }
            : { look: 'bad', word: 'unreachable' },
      );
      if (!ending.signal.aborted) setState(found);
    };
    void look();
    const timer = setInterval(() => void look(), everyMs);
    return () => {
      clearInterval(timer);
      ending.abort();
    };
  }, [client, isVisible, refusal]);
  if (refusal !== null) return null;
  return (
    <Link href="/system" className={`health health-${state.look}`}>
      <span aria-hidden="true">●</span> <span className="wide-only">server </span>
      <span role="status">{state.word}</span>
    </Link>
  );
}
