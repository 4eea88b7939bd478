// What the server says of what is typed, once a person has paused.

import { useEffect, useState } from 'react';
import { askOutlook, type Outlook } from '../client/outlook.ts';
import type { JsonObject } from '../domain/job.ts';
import { useClient } from './session.tsx';

const settleMs = 250;

/** null: not known yet. */
export function useOutlook(jobId: string, args: JsonObject): Outlook | null {
  const client = useClient();
  const [outlook, setOutlook] = useState<Outlook | null>(null);
  const key = JSON.stringify(args);
  // `key` stands for `args`
  useEffect(() => {
    const ending = new AbortController();
    const { signal } = ending;
    const ask = async (): Promise<void> => {
      const answer = await askOutlook(client, { job_id: jobId, args }, signal);
      if (!signal.aborted) setOutlook(answer);
    };
    const timer = setTimeout(() => void ask(), settleMs);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [client, jobId, key]);
  return outlook;
}
