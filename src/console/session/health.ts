// The server's health. It is read only every few seconds, because the page is open all day. When the stream of events
// breaks, the health is read at once, so that a server that has gone is noticed immediately.

import type { AnswerOf } from '../../contract/operations.ts';
import { type Answer, useAnswer, useRefresh } from './answers.tsx';
import { useRunEvents } from './streams.ts';

export const healthKey = ['health'];
const everyMs = 20_000;
const unhealthyMs = 10_000;
/** A server that accepts the connection and does not answer counts as unreachable. */
const timeoutMs = 5_000;

export function useHealth(enabled = true): Answer<AnswerOf<'getHealth'>> {
  const refresh = useRefresh();
  useRunEvents({}, { broken: () => refresh({ queryKey: healthKey }) });
  return useAnswer(
    healthKey,
    (client, signal) => client.call('getHealth', { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) }),
    {
      enabled,
      refetchInterval: ({ state: { data, fetchFailureCount } }) =>
        data?.status === 'healthy' && fetchFailureCount === 0 ? everyMs : unhealthyMs,
    },
  );
}
