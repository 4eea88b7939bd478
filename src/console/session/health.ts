// The server's health, read every few seconds.

import type { AnswerOf } from '../../contract/operations.ts';
import { type Answer, useAnswer } from './answers.tsx';

const everyMs = 10_000;
/** A server that accepts the connection and does not answer counts as unreachable. */
const timeoutMs = 5_000;

export function useHealth(enabled = true): Answer<AnswerOf<'getHealth'>> {
  return useAnswer(
    ['health'],
    (client, signal) => client.call('getHealth', { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) }),
    { enabled, refetchInterval: everyMs },
  );
}
