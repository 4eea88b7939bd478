// The state of the form that starts a job or runs one of its runs again: the typed arguments, the server's answer, and
// the words for both.

import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useSearch } from 'wouter';
import { missingWords, type Outlook, type OutlookWords, outlookWords } from '../../client/outlook.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { type ArgumentField, argumentFields } from '../../domain/argument-fields.ts';
import { type ArgumentError, type FormErrors, placeErrors } from '../../domain/filled-fields.ts';
import { differencesOf } from './differences.ts';
import { type EarlierRun, useEarlierRun } from './earlier-run.ts';
import { besideFields, type FieldTexts, openArguments, typedSecrets } from './form-texts.ts';
import { useOutlook } from './outlooks.ts';
import { noOptions, type OptionTexts, readOptions } from './run-options.ts';
import { notValid, useStartRequest } from './start-request.ts';
import { type TypedArguments, useTypedArguments } from './typed-arguments.ts';

const starting: OutlookWords = { text: 'Starting…', tone: 'wait' };
const noErrors: readonly ArgumentError[] = [];

/** @param onFilledIn is called before the arguments of an earlier run are filled in */
export function useStartForm(job: AnswerOf<'getJob'>, onFilledIn: () => void) {
  const earlier = earlierOf(new URLSearchParams(useSearch()));
  const rerunOf = earlier?.isRerun ? earlier.runId : null;
  const schema = JSON.stringify(job.args);
  // The job is read again from time to time. As long as its schema is the same, the typed arguments stay.
  const fields = useMemo(() => argumentFields(job.args), [schema]);
  const typed = useTypedArguments(job.id, fields, earlier);
  const known = useEarlierRun(earlier, fields, (args) => {
    onFilledIn();
    return typed.fillIn(args);
  });
  const { filled, json, touched, read } = typed;
  const { before } = known;
  /** A rerun takes the arguments of the earlier run and overrides them with the given ones. */
  const planned = useMemo(
    () => (before === null ? read.args : { ...openArguments(fields, before), ...read.args }),
    [fields, before, read],
  );
  const [optionTexts, setOptions] = useState<OptionTexts>(noOptions);
  const { options, errors: optionErrors } = useMemo(() => readOptions(optionTexts), [optionTexts]);
  const request = useStartRequest(job.id, rerunOf, options);
  const { note, setNote, isTried } = request;
  const { outlook, lastPlan } = useOutlook({ job_id: job.id, args: planned, ...options }, request.losses);
  useFoundAgain(outlook, () => setNote(null));
  const errors: readonly ArgumentError[] = outlook?.kind === 'errors' ? outlook.errors : noErrors;
  const fieldErrors = useMemo(
    () => formErrors(fields, { filled, json, read }, errors, rerunOf !== null),
    [fields, filled, json, read, errors, rerunOf],
  );
  // An error is shown once the user has touched the field or tried to start.
  const shownErrors = new Map([...fieldErrors.byField].filter(([index]) => isTried || touched.has(index)));
  const isUntouched =
    earlier === null && !typed.isTyped && !isTried && errors.every(({ keyword }) => keyword === 'required');
  const words = request.isStarting
    ? starting
    : formWords(outlook, fieldErrors, { isUntouched, isRerun: rerunOf !== null });
  const differences = useMemo(
    () => (known.filled === null ? null : differencesOf(fields, known.filled.args, planned)),
    [fields, known.filled, planned],
  );
  return {
    rerunOf,
    known,
    fields,
    typed,
    request,
    outlook,
    lastPlan,
    options,
    optionTexts,
    optionErrors,
    setOptions,
    /** null: the arguments are not those of an earlier run. */
    differences,
    errors,
    fieldErrors,
    shownErrors,
    ...useChanges(typed, setNote),
    secrets: typedSecrets(fields, filled).map((index) => fields[index]?.path.join('.') ?? ''),
    words,
    /** The note makes `words` redundant, so they are not shown. */
    isSaid:
      note !== null && (note === words.text || words.tone === 'good' || (note === notValid && words.tone === 'bad')),
    planNote: rerunOf === null ? null : changedWords(job, rerunOf, known.filled?.revision ?? null),
  };
}

function earlierOf(asked: URLSearchParams): EarlierRun | null {
  const rerunOf = asked.get('rerun');
  const runId = rerunOf ?? asked.get('from');
  return runId === null ? null : { runId, isRerun: rerunOf !== null };
}

/** The functions that change the typed arguments. Each function clears the note about the earlier arguments. */
function useChanges(typed: TypedArguments, setNote: (note: string | null) => void) {
  const { change: changeField, writeJson, turnOver, json } = typed;
  const change = useCallback(
    (index: number, next: FieldTexts) => {
      changeField(index, next);
      setNote(null);
    },
    [changeField, setNote],
  );
  return {
    change,
    changeJson(text: string): void {
      writeJson(text);
      setNote(null);
    },
    turnOver: (): void => {
      const names = turnOver().join(', ');
      if (names !== '') setNote(`No field fits ${names} as written. Change the JSON to go back to the fields.`);
      else if (json !== null) setNote(null);
    },
  };
}

/** Calls `found` when the server answers again after it could not be reached. */
function useFoundAgain(outlook: Outlook | null, found: () => void): void {
  const isLost = outlook?.kind === 'none';
  const wasLost = useRef(isLost);
  useEffect(() => {
    if (wasLost.current && !isLost) found();
    wasLost.current = isLost;
  }, [isLost]);
}

function formErrors(
  fields: readonly ArgumentField[],
  { filled, json, read }: Pick<TypedArguments, 'filled' | 'json' | 'read'>,
  errors: readonly ArgumentError[],
  isRerun: boolean,
): FormErrors {
  const { byField: placed, others } = placeErrors(json === null ? fields : [], errors, read.fieldErrors);
  const byField = besideFields(fields, filled, placed, errors);
  if (!isRerun) return { byField, others };
  // An empty field keeps the earlier run's value, so it has no error.
  const isFilled = (index: number): boolean => (filled[index]?.texts.length ?? 0) > 0;
  return { byField: new Map([...byField].filter(([index]) => isFilled(index))), others };
}

function formWords(
  outlook: Outlook | null,
  { byField, others }: FormErrors,
  { isUntouched, isRerun }: { readonly isUntouched: boolean; readonly isRerun: boolean },
): OutlookWords {
  const count = byField.size + others.length;
  if (isRerun && outlook?.kind === 'errors' && count === 0) return { text: 'Ready to run again.', tone: 'good' };
  if (!isUntouched || count === 0) return outlookWords(outlook, count);
  return { text: missingWords(count), tone: 'open' };
}

function changedWords(job: AnswerOf<'getJob'>, rerunOf: string, revision: string | null): string | null {
  if (revision === null || revision === job.revision) return null;
  const used = revision.slice(0, 12);
  return `The job has changed since ${rerunOf}. The plan shows the job as it is now; the new run uses revision ${used}.`;
}
