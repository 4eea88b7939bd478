// Reads a run with its attempts, for the page of the run, the page of its log and the steps of its parent.

import type { UseQueryOptions } from '@tanstack/react-query';
import { type Answer, useAnswer } from '../session/answers.tsx';
import type { Run, Step } from '../words.ts';

export type RunWithAttempts = { readonly run: Run; readonly attempts: Step[] };

export function useRunAnswer(
  runId: string,
  o: Pick<UseQueryOptions<RunWithAttempts>, 'gcTime' | 'refetchInterval'>,
): Answer<RunWithAttempts> {
  return useAnswer(
    ['run', runId, 'steps'],
    async (client, signal) => {
      const path = { run_id: runId };
      const [run, { attempts }] = await Promise.all([
        client.call('getRun', { path, signal }),
        client.call('listRunAttempts', { path, signal }),
      ]);
      return { run, attempts };
    },
    o,
  );
}
