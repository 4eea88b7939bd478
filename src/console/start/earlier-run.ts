// The earlier run whose arguments fill the form. The form starts a similar run, or runs the earlier run again with
// changes.

import { useEffect, useEffectEvent, useState } from 'react';
import { errorText } from '../../client/error-words.ts';
import type { ArgumentField } from '../../domain/argument-fields.ts';
import type { JsonObject } from '../../domain/job.ts';
import type { RunStatus } from '../../domain/run.ts';
import { useClient } from '../session/session.tsx';
import { openArguments } from './form-texts.ts';

export type EarlierRun = {
  readonly runId: string;
  /** The form runs this run again, with the changes made in the form. */
  readonly isRerun: boolean;
};

type KnownRun = {
  /** Says what was filled in, or why nothing was. */
  readonly note: string | null;
  /** The run whose arguments are in the form. */
  readonly filled: FilledFrom | null;
  /** The arguments of the run that is rerun. Its secrets are masked. */
  readonly before: JsonObject | null;
};

type FilledFrom = {
  readonly runId: string;
  readonly status: RunStatus;
  readonly createdAt: string;
  readonly revision: string;
  /** The arguments without secrets. */
  readonly args: JsonObject;
};

const emptyFields = 'If you leave a field empty, the run uses the earlier value, even of a secret.';

const nothing: KnownRun = { note: null, filled: null, before: null };

/** @param fillIn puts the arguments into the form and returns the names of those that fit no field */
export function useEarlierRun(
  earlier: EarlierRun | null,
  fields: readonly ArgumentField[],
  fillIn: (args: JsonObject) => readonly string[],
): KnownRun & { readonly fillInAgain: () => void } {
  const client = useClient();
  const [known, setKnown] = useState<KnownRun>(nothing);
  const [fills, setFills] = useState(0);
  const onArguments = useEffectEvent(fillIn);
  const { runId = null, isRerun = false } = earlier ?? {};
  useEffect(() => {
    if (runId === null) return undefined;
    const ending = new AbortController();
    client.call('getRun', { path: { run_id: runId }, signal: ending.signal }).then(
      ({ args, source, status, created_at: createdAt }) => {
        const open = openArguments(fields, args);
        const unfit = onArguments(open);
        const asJson = unfit.length > 0 ? ` They are shown as JSON, because no field fits ${unfit.join(', ')}.` : '';
        setKnown({
          filled: { runId, status, createdAt, revision: source.revision, args: open },
          before: isRerun ? JSON.parse(JSON.stringify(args)) : null,
          note: isRerun
            ? `This runs ${runId} again at its revision, with your changes.${asJson} ${emptyFields}`
            : `These are the arguments of ${runId}.${asJson} Secrets are not filled in.`,
        });
      },
      (error: unknown) => {
        if (!ending.signal.aborted) setKnown((held) => ({ ...held, note: errorText(error) }));
      },
    );
    return () => ending.abort();
  }, [client, runId, isRerun, fields, fills]);
  return { ...known, fillInAgain: () => setFills((before) => before + 1) };
}
