// Sends what is typed into the form to the server whenever typing pauses. The server answers with the errors in the
// arguments, or with what a run would do.

import { useEffect, useState } from 'react';
import { askOutlook, type Outlook } from '../../client/outlook.ts';
import type { AnswerOf, BodyOf } from '../../contract/operations.ts';
import { useClient } from '../session/session.tsx';

export type PlanAnswer = AnswerOf<'createPlan'>;

const settleMs = 200;
const retryMs = 2_000;

type Known = {
  /** null: there is no answer yet. */
  readonly outlook: Outlook | null;
  /** The last plan. It stays while the server is asked again, and while a field has an error. */
  readonly lastPlan: PlanAnswer | null;
};

/** @param losses - how often the server could not be reached. When this number grows, the server is asked again. */
export function useOutlook(request: BodyOf<'createPlan'>, losses: number): Known {
  const client = useClient();
  const [known, setKnown] = useState<Known>({ outlook: null, lastPlan: null });
  const key = JSON.stringify(request);
  // The effect depends on `key` instead of `request`, which is a new object each time.
  useEffect(() => {
    const ending = new AbortController();
    const { signal } = ending;
    const ask = async (): Promise<void> => {
      const outlook = await askOutlook(client, request, signal);
      if (signal.aborted) return;
      setKnown(({ lastPlan }) => ({ outlook, lastPlan: outlook.kind === 'plan' ? outlook.plan : lastPlan }));
      if (outlook.kind === 'none' && outlook.isPassing) timer = setTimeout(() => void ask(), retryMs);
    };
    let timer = setTimeout(() => void ask(), settleMs);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [client, key, losses]);
  return known;
}
