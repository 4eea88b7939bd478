// Shows, at the foot of the sidebar, the server's health, or that the server cannot be reached.

import { useQueryClient } from '@tanstack/react-query';
import { HeartPulse } from 'lucide-react';
import { type ReactNode, useEffect } from 'react';
import { Link } from 'wouter';
import { ApiProblem, ServerUnreachable } from '../../client/api-problem.ts';
import { failureOf, useRefresh } from '../session/answers.tsx';
import { healthKey, useHealth } from '../session/health.ts';
import { useLate } from '../session/late.ts';
import { useSession } from '../session/session.tsx';
import { countWords } from '../words.ts';
import styles from './Sidebar.module.css';

export function Health({ isCollapsed }: { readonly isCollapsed: boolean }): ReactNode {
  const { hasToken, isSignedIn, refusal } = useSession();
  // The server would refuse this request as well, which would reopen a sign-in dialog that the user has closed.
  const isRefused = refusal !== null || (hasToken && !isSignedIn);
  const health = useHealth(!isRefused);
  const late = useLate()?.length ?? 0;
  useUnreachable();
  if (isRefused) return null;
  const failure = failureOf(health);
  const status = health.data?.status;
  const isLate = failure === null && status === 'healthy' && late > 0;
  const word = failure ? failureWord(failure) : isLate ? `${countWords(late)} late or missed` : (status ?? 'checking');
  const look = failure ? 'failed' : status === undefined || (status === 'healthy' && !isLate) ? status : 'late';
  const notes = Object.entries(health.data?.checks ?? {}).filter(([, check]) => check.status !== 'ok');
  const title = notes.map(([name, { status: state, detail }]) => `${name}: ${detail ?? state}`).join('\n');
  return (
    <Link href="/admin/doctor" className={styles.health} data-look={look} title={title === '' ? undefined : title}>
      <HeartPulse size={14} strokeWidth={2.2} aria-hidden="true" />
      <span className="unseen">Server: </span>
      <span role="status" className={isCollapsed ? 'unseen' : ''}>
        {word}
      </span>
    </Link>
  );
}

function failureWord(failure: Error): string {
  return failure instanceof ApiProblem ? 'unhealthy' : 'unreachable';
}

/** Reads the health again when a request cannot reach the server, so that the sidebar does not contradict the page. */
function useUnreachable(): void {
  const answers = useQueryClient();
  const refresh = useRefresh();
  useEffect(
    () =>
      answers.getQueryCache().subscribe((event) => {
        if (event.type !== 'updated' || event.action.type !== 'failed') return;
        const isNews = answers.getQueryState(healthKey)?.fetchStatus === 'idle';
        if (isNews && event.action.error instanceof ServerUnreachable) refresh({ queryKey: healthKey });
      }),
    [answers, refresh],
  );
}
