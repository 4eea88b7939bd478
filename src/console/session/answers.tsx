// Reads from the server and caches its answers, with TanStack Query. Pages call `useAnswer`, events call `useRefresh`.

import {
  hashKey,
  QueryClient,
  QueryClientProvider,
  type QueryFilters,
  type QueryKey,
  type UseQueryOptions,
  type UseQueryResult,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react';
import type { Client } from '../../client/client.ts';
import { errorText, isPassing } from '../../client/error-words.ts';
import { longestAnswerMs, useClient, useSession } from './session.tsx';

const retryMs = 2_000;

export function AnswersProvider({ children }: { readonly children: ReactNode }): ReactNode {
  return <Answers key={useSession().signOuts}>{children}</Answers>;
}

/** Holds the answers of one user. When the user signs out, this component is removed, with every page in it. */
function Answers({ children }: { readonly children: ReactNode }): ReactNode {
  const client = useClient();
  const [answers] = useState(createAnswers);
  const readBy = useRef(client);
  // With a new token, everything is read again. Until then the page keeps its content, because the user may be filling
  // in a form.
  useEffect(() => {
    if (readBy.current === client) return;
    readBy.current = client;
    answers.removeQueries({ type: 'inactive' });
    void answers.cancelQueries().then(() => answers.invalidateQueries());
  }, [client, answers]);
  return <QueryClientProvider client={answers}>{children}</QueryClientProvider>;
}

function createAnswers(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // The server may be on this machine, so a browser that believes it is offline can still reach it.
        networkMode: 'always',
        retry: (_failures, error) => isPassing(error),
        retryDelay: retryMs,
      },
    },
  });
}

export type Answer<T> = Pick<UseQueryResult<T>, 'data' | 'error' | 'failureReason' | 'refetch'>;

/** Whether there is no answer and no error yet. */
export function isLoading({ data, error }: Pick<Answer<unknown>, 'data' | 'error'>): boolean {
  return data === undefined && error === null;
}

/**
 * Calls `load` and caches its answer. Components that use the same key share one request and one answer. The last
 * answer stays until the next one arrives. It also stays when the next request fails.
 */
export function useAnswer<T, Selected = T>(
  queryKey: QueryKey,
  load: (client: Client, signal: AbortSignal) => Promise<T>,
  o: Omit<UseQueryOptions<T, Error, Selected>, 'queryKey' | 'queryFn'> = {},
): Answer<Selected> {
  const client = useClient();
  const { data, error, failureReason, refetch } = useQuery({
    ...o,
    queryKey,
    queryFn: ({ signal }) => load(client, limited(signal)),
  });
  const lastError = useLastError(hashKey(queryKey), data === undefined, error ?? failureReason);
  return { data, error: lastError, failureReason, refetch };
}

/**
 * Keeps the error of the last request until the next request ends. While there is no answer, TanStack Query clears the
 * error whenever a request begins. A page that polls would then show the error and "Loading" in turn.
 */
function useLastError(key: string, hasNoAnswer: boolean, error: Error | null): Error | null {
  const [last, setLast] = useState({ key, error });
  const shown = hasNoAnswer && last.key === key ? (error ?? last.error) : error;
  if (last.key !== key || last.error !== shown) setLast({ key, error: shown });
  return shown;
}

/** Returns a signal that is also aborted after the time limit for an answer. */
export function limited(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(longestAnswerMs)]);
}

type Failing = Pick<Answer<unknown>, 'error' | 'failureReason'>;

/** Why the newest request failed, or null. A request that is being retried counts as failed. */
export function failureOf(answer: Failing): Error | null {
  return answer.error ?? answer.failureReason;
}

/** Why the newest request failed, in words. */
export function failureText(answer: Failing): string | null {
  const failure = failureOf(answer);
  return failure && errorText(failure);
}

/** @returns a function that marks the matching answers as outdated, and reloads the matching answers on the page */
export function useRefresh(): (filters: QueryFilters) => void {
  const answers = useQueryClient();
  return useCallback((filters) => void refresh(answers, filters), [answers]);
}

/**
 * The answer to a request in progress may be from before the change on the server, so another request follows. The
 * first request is not cancelled. On a busy server, changes come faster than answers. If each change cancelled the
 * request in progress, no answer would ever arrive.
 */
async function refresh(answers: QueryClient, filters: QueryFilters): Promise<void> {
  const isUnderWay = answers.isFetching(filters) > 0;
  await answers.invalidateQueries(filters, { cancelRefetch: false });
  if (isUnderWay) await answers.invalidateQueries(filters, { cancelRefetch: false });
}
