// The earlier run whose arguments fill the form, to start a run like it or to rerun it.

import { useEffect, useEffectEvent, useState } from 'react';
import { errorText } from '../../client/error-words.ts';
import type { ArgumentField } from '../../domain/argument-fields.ts';
import type { JsonObject } from '../../domain/job.ts';
import { useClient } from '../session/session.tsx';
import { openArguments } from './form-texts.ts';

export type EarlierRun = {
  readonly runId: string;
  /** The form reruns it, with the changes made there. */
  readonly isRerun: boolean;
};

type KnownRun = {
  /** Says what was filled in, or why nothing was. */
  readonly note: string | null;
  /** The arguments of the run that is rerun. Its secrets are masked. */
  readonly before: JsonObject | null;
  readonly revision: string | null;
};

const emptyFields = 'Fields that you leave empty keep their values, secrets included.';

/** @param fillIn puts the arguments into the form and returns the names of those that fit no field */
export function useEarlierRun(
  earlier: EarlierRun | null,
  fields: readonly ArgumentField[],
  fillIn: (args: JsonObject) => readonly string[],
): KnownRun {
  const client = useClient();
  const [known, setKnown] = useState<KnownRun>({ note: null, before: null, revision: null });
  const onArguments = useEffectEvent(fillIn);
  const { runId = null, isRerun = false } = earlier ?? {};
  useEffect(() => {
    if (runId === null) return undefined;
    const ending = new AbortController();
    client.call('getRun', { path: { run_id: runId }, signal: ending.signal }).then(
      ({ args, source }) => {
        const unfit = onArguments(openArguments(fields, args));
        const asJson = unfit.length > 0 ? ` They are shown as JSON, because no field fits ${unfit.join(', ')}.` : '';
        setKnown({
          revision: source.revision,
          before: isRerun ? JSON.parse(JSON.stringify(args)) : null,
          note: isRerun
            ? `This reruns ${runId} at its revision, with your changes.${asJson} ${emptyFields}`
            : `These are the arguments of ${runId}.${asJson} Secrets must be entered again.`,
        });
      },
      (error: unknown) => {
        if (!ending.signal.aborted) setKnown((held) => ({ ...held, note: errorText(error) }));
      },
    );
    return () => ending.abort();
  }, [client, runId, isRerun, fields]);
  return known;
}
