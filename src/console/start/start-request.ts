// Sends the request that starts a job or runs a run again, and says how it went.

import { useState } from 'react';
import { useLocation } from 'wouter';
import { errorText, isPassing } from '../../client/error-words.ts';
import { errorsOf } from '../../client/outlook.ts';
import type { JsonObject } from '../../domain/job.ts';
import { useRequestKeys } from '../session/request-keys.ts';
import { useClient } from '../session/session.tsx';
import { runPath } from '../words.ts';
import { dropDraft } from './drafts.ts';
import type { RunOptions } from './run-options.ts';

export const notValid = 'Some arguments need attention.';

type StartRequest = {
  readonly isStarting: boolean;
  /** The user has tried to start the job, with or without success. */
  readonly isTried: boolean;
  readonly setTried: () => void;
  /** How often the server could not be reached. */
  readonly losses: number;
  /** Why the last try failed. */
  readonly note: string | null;
  readonly setNote: (note: string | null) => void;
  /** Starts the run and opens its page. */
  readonly start: (args: JsonObject, onFailure: () => void) => Promise<void>;
};

/** @param rerunOf the run to run again, which keeps its own options; null: a new run is started */
export function useStartRequest(jobId: string, rerunOf: string | null, options: RunOptions): StartRequest {
  const client = useClient();
  const [, navigate] = useLocation();
  const once = useRequestKeys();
  const [note, setNote] = useState<string | null>(null);
  const [isStarting, setStarting] = useState(false);
  const [isTried, setTried] = useState(false);
  const [losses, setLosses] = useState(0);
  async function start(args: JsonObject, onFailure: () => void): Promise<void> {
    if (isStarting) return;
    setTried(true);
    setStarting(true);
    setNote(null);
    try {
      const { run_id: runId } = await once(JSON.stringify({ jobId, rerunOf, args, options }), (headers) =>
        rerunOf === null
          ? client.call('createRun', { body: { job_id: jobId, args, ...options }, headers })
          : client.call('rerunRun', { path: { run_id: rerunOf }, body: { from: 'start', args }, headers }),
      );
      if (rerunOf === null) dropDraft(jobId);
      navigate(runPath(runId));
    } catch (error) {
      setNote(errorsOf(error) ? notValid : errorText(error));
      if (isPassing(error)) setLosses((count) => count + 1);
      onFailure();
    } finally {
      setStarting(false);
    }
  }
  return { isStarting, isTried, setTried: () => setTried(true), losses, note, setNote, start };
}
