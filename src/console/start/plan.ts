// What the server says of what is typed, once a person has paused.

import { useEffect, useState } from 'react';
import { askOutlook, type Outlook } from '../../client/outlook.ts';
import type { JsonObject } from '../../domain/job.ts';
import { useClient } from '../server/session.tsx';

const settleMs = 250;
const retryMs = 2_000;

/** null: not known yet. `nudge` grows when it may have changed. */
export function useOutlook(jobId: string, args: JsonObject, nudge: number): Outlook | null {
  const client = useClient();
  const [outlook, setOutlook] = useState<Outlook | null>(null);
  const key = JSON.stringify(args);
  // `key` stands for `args`
  useEffect(() => {
    const ending = new AbortController();
    const { signal } = ending;
    const ask = async (): Promise<void> => {
      const answer = await askOutlook(client, { job_id: jobId, args }, signal);
      if (signal.aborted) return;
      setOutlook(answer);
      if (answer.kind === 'none' && answer.isPassing) timer = setTimeout(() => void ask(), retryMs);
    };
    let timer = setTimeout(() => void ask(), settleMs);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [client, jobId, key, nudge]);
  return outlook;
}
