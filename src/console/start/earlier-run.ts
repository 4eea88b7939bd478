// The run whose arguments a form starts with: to start another one like it, or to run it again.

import { useEffect, useEffectEvent, useState } from 'react';
import { errorText } from '../../client/error-words.ts';
import type { ArgumentField } from '../../domain/argument-fields.ts';
import type { JsonObject } from '../../domain/job.ts';
import { useClient } from '../session/session.tsx';
import { openArguments } from './form-texts.ts';

export type EarlierRun = {
  readonly runId: string;
  /** It is run again, with what is changed in the form. */
  readonly isRerun: boolean;
};

type KnownRun = {
  /** What was filled in, or why it could not be. */
  readonly note: string | null;
  /** The arguments of a run that is run again; of its secrets, that there were some. */
  readonly before: JsonObject | null;
  readonly revision: string | null;
};

/** @param fillIn puts the arguments into the form, and returns the names of those that no field can hold */
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
        const homeless = onArguments(openArguments(fields, args));
        const asJson = homeless.length > 0 ? ` As JSON: no field holds ${homeless.join(', ')}.` : '';
        setKnown({
          revision: source.revision,
          before: isRerun ? JSON.parse(JSON.stringify(args)) : null,
          note: isRerun
            ? `${runId} is run again on its revision, with what is changed here.${asJson} What is left empty stays as it was, secrets too.`
            : `Filled in from ${runId}.${asJson} Secrets have to be given anew.`,
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
