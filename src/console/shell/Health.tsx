// In the header: the server's health, or that the server is unreachable.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { ApiProblem } from '../../client/api-problem.ts';
import { failureOf } from '../session/answers.tsx';
import { useHealth } from '../session/health.ts';
import { useSession } from '../session/session.tsx';

export function Health(): ReactNode {
  const { hasToken, isSignedIn, refusal } = useSession();
  // The server would refuse the request again, and reopen a sign-in dialog that the user has closed.
  const isRefused = refusal !== null || (hasToken && !isSignedIn);
  const health = useHealth(!isRefused);
  if (isRefused) return null;
  const failure = failureOf(health);
  const status = health.data?.status;
  const word = failure ? (failure instanceof ApiProblem ? 'unhealthy' : 'unreachable') : (status ?? 'connecting');
  const look = failure ? 'bad' : status === 'healthy' ? 'good' : 'wait';
  return (
    <Link href="/system" className={`health health-${look}`}>
      <span aria-hidden="true">●</span> <span className="wide-only">server </span>
      <span role="status" className={look === 'good' ? 'unseen-narrow' : ''}>
        {word}
      </span>
    </Link>
  );
}
