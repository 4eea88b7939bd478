// Asks what the server says of the arguments, once a person has paused.

import { useEffect, useState } from 'react';
import { askOutlook, type Outlook } from '../../client/outlook.ts';
import type { JsonObject } from '../../domain/job.ts';
import { useSurroundings } from '../screen.ts';

const settleMs = 150;
const refreshMs = 5_000;

/** null: not known yet. */
export function useOutlook(isActive: boolean, jobId: string, args: JsonObject): Outlook | null {
  const { client, epoch } = useSurroundings();
  const [outlook, setOutlook] = useState<Outlook | null>(null);
  const key = JSON.stringify(args);
  // `key` stands for `args`, `epoch` for a server found again
  useEffect(() => {
    if (!isActive) return undefined;
    const ending = new AbortController();
    const { signal } = ending;
    const ask = async (): Promise<void> => {
      const answer = await askOutlook(client, { job_id: jobId, args }, signal);
      if (!signal.aborted) setOutlook(answer);
    };
    const timer = setTimeout(() => void ask(), settleMs);
    // What it would wait for may be over.
    const refresh = setInterval(() => void ask(), refreshMs);
    return () => {
      clearTimeout(timer);
      clearInterval(refresh);
      ending.abort();
    };
  }, [client, isActive, jobId, key, epoch]);
  return outlook;
}
