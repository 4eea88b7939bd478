// Everything late: runs that take too long, successes that did not come, and times that schedules missed.

import type { AnswerOf } from '../../contract/operations.ts';
import { useAnswer } from './answers.tsx';
import { useScopes } from './scopes.ts';

export type Late = AnswerOf<'listLate'>['late'][number];

export const lateKey = ['late'];
const everyMs = 60_000;

/** Everything that is still late or missing, newest first. */
export function useLate(): readonly Late[] | undefined {
  return useAnswer(lateKey, async (client, signal) => (await client.call('listLate', { query: {}, signal })).late, {
    refetchInterval: everyMs,
    enabled: useScopes()('runs:read') === true,
  }).data;
}
