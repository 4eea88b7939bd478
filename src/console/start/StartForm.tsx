// The form that starts a job, or runs one of its runs again, with what the server says of it.

import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { errorText, isPassing } from '../../client/error-words.ts';
import { errorsOf, outlookWords } from '../../client/outlook.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { argumentFields } from '../../domain/argument-fields.ts';
import { type ArgumentError, type FormErrors, placeErrors } from '../../domain/filled-fields.ts';
import type { JsonObject } from '../../domain/job.ts';
import { newKey } from '../session/request-keys.ts';
import { useScopes } from '../session/scopes.tsx';
import { useClient, useSession } from '../session/session.tsx';
import { ErrorNote } from '../widgets/Notes.tsx';
import { runPath } from '../words.ts';
import { ArgumentsForm } from './ArgumentsForm.tsx';
import { Copies } from './Copies.tsx';
import { draftOf, dropDraft, keepDraft } from './drafts.ts';
import {
  besideFields,
  type FieldTexts,
  heldByNoField,
  isSecret,
  noTexts,
  openArguments,
  readJsonText,
  readTexts,
  shownArguments,
  textsOf,
  typedSecrets,
} from './form-texts.ts';
import { Plan, useOutlook } from './Plan.tsx';

const noErrors: readonly ArgumentError[] = [];
const notRight = 'The arguments are not right yet.';

export function StartForm({ job }: { readonly job: AnswerOf<'getJob'> }): ReactNode {
  const client = useClient();
  const [, navigate] = useLocation();
  const mayStart = useScopes()('runs:write');
  const asked = new URLSearchParams(useSearch());
  /** The run that is run again, with what is changed here. */
  const rerunOf = asked.get('rerun');
  const from = rerunOf ?? asked.get('from');
  const schema = JSON.stringify(job.args);
  // A job that is read again with the same schema keeps what is typed.
  const fields = useMemo(() => argumentFields(job.args), [schema]);
  const { departures } = useSession();
  const [draft] = useState(() => (from === null ? draftOf(job.id, departures) : null));
  const [filled, setFilled] = useState<readonly FieldTexts[]>(draft?.filled ?? []);
  const [touched, setTouched] = useState<ReadonlySet<number>>(
    () =>
      new Set([...(draft?.filled ?? []).entries()].flatMap(([index, { texts }]) => (texts.length > 0 ? [index] : []))),
  );
  const form = useRef<HTMLFormElement>(null);
  const [note, setNote] = useState<string | null>(null);
  const [isStarting, setStarting] = useState(false);
  const [isTried, setTried] = useState(false);
  /** The same until something is changed or has started, so that a press after a broken answer starts nothing twice. */
  const startKey = useRef(newKey());
  /** What is typed where the arguments are written as JSON; null: into fields. */
  const [json, setJson] = useState<string | null>(draft?.json ?? null);
  const read = useMemo(() => (json === null ? readTexts(fields, filled) : readJsonText(json)), [fields, filled, json]);
  const { args, fieldErrors: own } = read;
  /** Of the run that is run again; of secrets, that there were some. */
  const [before, setBefore] = useState<JsonObject | null>(null);
  /** A rerun lays what is given over what was. */
  const planned = useMemo(
    () => (before === null ? args : { ...openArguments(fields, before), ...args }),
    [fields, before, args],
  );
  const [losses, setLosses] = useState(0);
  const outlook = useOutlook(job.id, planned, losses);
  const errors: readonly ArgumentError[] = outlook?.kind === 'errors' ? outlook.errors : noErrors;
  const fieldErrors = useMemo(() => {
    const all = placeErrors(json === null ? fields : [], errors, own);
    const placed = { ...all, byField: besideFields(fields, filled, all.byField, errors) };
    if (rerunOf === null) return placed;
    // What is left empty is as it was.
    const isFilled = (index: number): boolean => (filled[index]?.texts.length ?? 0) > 0;
    return { ...placed, byField: new Map([...placed.byField].filter(([index]) => isFilled(index))) };
  }, [fields, filled, json, errors, own, rerunOf]);
  const [fromNote, setFromNote] = useState<string | null>(null);
  /** Of the run that is run again. */
  const [oldRevision, setOldRevision] = useState<string | null>(null);

  useEffect(() => {
    if (from === null) return undefined;
    const ending = new AbortController();
    client.call('getRun', { path: { run_id: from }, signal: ending.signal }).then(
      (run) => {
        const open = openArguments(fields, run.args);
        const homeless = heldByNoField(fields, open);
        setFilled(textsOf(fields, open));
        setJson((held) => (held === null && homeless.length === 0 ? null : JSON.stringify(open, null, 2)));
        startKey.current = newKey();
        setOldRevision(run.source.revision);
        setBefore(rerunOf === null ? null : JSON.parse(JSON.stringify(run.args)));
        // It may have been asked for from below.
        form.current?.scrollIntoView({ block: 'start' });
        form.current?.focus({ preventScroll: true });
        const asJson = homeless.length > 0 ? ` As JSON: no field holds ${homeless.join(', ')}.` : '';
        setFromNote(
          rerunOf === null
            ? `Filled in from ${from}.${asJson} Secrets have to be given anew.`
            : `${from} is run again on its revision, with what is changed here.${asJson} What is left empty stays as it was, secrets too.`,
        );
      },
      (error: unknown) => {
        if (!ending.signal.aborted) setFromNote(errorText(error));
      },
    );
    return () => ending.abort();
  }, [client, from, rerunOf, fields]);

  const isTyped = touched.size > 0 || json !== null;
  useEffect(() => {
    if (isTyped && rerunOf === null) keepDraft(job.id, departures, fields, { filled, json });
  }, [job.id, departures, fields, filled, json, isTyped, rerunOf]);

  const isLost = outlook?.kind === 'none';
  const wasLost = useRef(isLost);
  useEffect(() => {
    // What was said of a server that could not be reached holds no more.
    if (wasLost.current && !isLost) setNote(null);
    wasLost.current = isLost;
  }, [isLost]);

  const change = useCallback(
    (index: number, next: FieldTexts) => {
      setFilled((held) => fields.map((_, at) => (at === index ? next : (held[at] ?? noTexts))));
      setTouched((held) => new Set([...held, index]));
      setNote(null);
      startKey.current = newKey();
    },
    [fields],
  );

  async function start(): Promise<void> {
    if (isStarting || mayStart === false) return;
    setTried(true);
    setStarting(true);
    setNote(null);
    try {
      const headers = { 'idempotency-key': startKey.current };
      const { run_id: runId } =
        rerunOf === null
          ? await client.call('createRun', { body: { job_id: job.id, args }, headers })
          : await client.call('rerunRun', { path: { run_id: rerunOf }, body: { from: 'start', args }, headers });
      startKey.current = newKey();
      if (rerunOf === null) dropDraft(job.id);
      navigate(runPath(runId));
    } catch (error) {
      setNote(errorsOf(error) ? notRight : errorText(error));
      if (isPassing(error)) setLosses((count) => count + 1);
      const first = Math.min(...fieldErrors.byField.keys());
      const wrong = document.getElementById(`field-${first}`) ?? form.current?.querySelector('[aria-invalid="true"]');
      if (wrong instanceof HTMLElement) wrong.focus();
    } finally {
      setStarting(false);
    }
  }

  // Nobody is told that a field is missing before it was their turn to fill it in.
  const shown = new Map([...fieldErrors.byField].filter(([index]) => isTried || touched.has(index)));
  const secrets = typedSecrets(fields, filled).map((index) => fields[index]?.path.join('.') ?? '');
  const turnOver = (): void => {
    if (json === null) {
      setJson(JSON.stringify(shownArguments(fields, filled, null), null, 2));
      return;
    }
    const homeless = heldByNoField(fields, args);
    if (homeless.length > 0) {
      setNote(`No field can hold this as it is written: ${homeless.join(', ')}. Without it, there are fields again.`);
      return;
    }
    // A secret that was typed into its field is there still.
    setFilled((held) =>
      textsOf(fields, args).map((one, index) =>
        one.texts.length === 0 && isSecret(fields[index]) ? (held[index] ?? one) : one,
      ),
    );
    setJson(null);
    setNote(null);
  };
  const count = countOf(fieldErrors);
  const isUntouched = from === null && !isTyped && !isTried && errors.every(({ keyword }) => keyword === 'required');
  const planNote =
    rerunOf !== null && oldRevision !== null && oldRevision !== job.revision
      ? `The job has changed since ${rerunOf}. This is what it would do now; run again it does what it did at revision ${oldRevision.slice(0, 12)}.`
      : null;
  const words =
    rerunOf !== null && outlook?.kind === 'errors' && count === 0
      ? ({ text: 'Would run again with this.', tone: 'good' } as const)
      : isUntouched && count > 0
        ? ({
            text: count === 1 ? 'One required value is missing.' : `${count} required values are missing.`,
            tone: 'open',
          } as const)
        : outlookWords(outlook, count);
  const isNoJson = read.error !== undefined;
  // One of the two says it.
  const isSaid =
    isNoJson ||
    (note !== null && (note === words.text || words.tone === 'good' || (note === notRight && words.tone === 'bad')));
  return (
    <div className="columns">
      <form
        ref={form}
        tabIndex={-1}
        noValidate
        aria-label="Arguments"
        className="panel"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <h2>{rerunOf === null ? 'Start' : 'Run again'}</h2>
        {fromNote !== null && (
          <p className="note" role="status">
            {fromNote}
            {before !== null && (
              <>
                {' '}
                To leave something out that it had,{' '}
                <Link href={`?from=${encodeURIComponent(rerunOf ?? '')}`}>start anew with its inputs</Link>.
              </>
            )}
          </p>
        )}
        {json === null ? (
          <ArgumentsForm
            id="field"
            fields={fields}
            filled={filled}
            args={args}
            before={before}
            fieldErrors={shown}
            errors={errors}
            isTried={isTried}
            change={change}
          />
        ) : (
          <label className="field">
            <span className="label">Arguments as JSON</span>
            <textarea
              rows={10}
              spellCheck={false}
              value={json}
              aria-describedby="json-secrets json-faults"
              aria-invalid={isNoJson || fieldErrors.others.length > 0}
              onChange={(event) => {
                setJson(event.target.value);
                setNote(null);
                startKey.current = newKey();
              }}
            />
          </label>
        )}
        {json !== null && secrets.length > 0 && (
          <p className="hint" id="json-secrets">
            Not here, and not sent from here: {secrets.join(', ')}, which is secret. Write it in, or go back to the
            fields.
          </p>
        )}
        <div id="json-faults">
          {(read.error === undefined ? fieldErrors.others : [read.error]).map((error) => (
            <p key={error} className="fault">
              {error}
            </p>
          ))}
        </div>
        {note !== null && <ErrorNote text={note} />}
        <p className={`outlook outlook-${words.tone}`} role="status">
          {isSaid ? '' : words.text}
        </p>
        {mayStart === false && <p className="quiet">Your token does not let you start runs.</p>}
        <div className="actions">
          {mayStart && (
            <button type="submit" className="primary" disabled={isStarting || isNoJson}>
              {isStarting ? 'Starting…' : rerunOf === null ? 'Start' : 'Run again'}
            </button>
          )}
          <button type="button" disabled={isNoJson} onClick={turnOver}>
            {json === null ? 'As JSON' : 'As fields'}
          </button>
          {rerunOf === null && json === null && (
            <Copies jobId={job.id} args={shownArguments(fields, filled, 'SECRET')} secrets={secrets} />
          )}
        </div>
      </form>
      <Plan outlook={isNoJson ? { kind: 'errors', errors: [] } : outlook} note={planNote} />
    </div>
  );
}

function countOf({ byField, others }: FormErrors): number {
  return byField.size + others.length;
}
