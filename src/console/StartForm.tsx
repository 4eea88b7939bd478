// The form that starts a job, or runs one of its runs again, with what the server says of it.

import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useLocation, useSearch } from 'wouter';
import { faultText } from '../client/fault-words.ts';
import { faultsOf, outlookWords } from '../client/outlook.ts';
import type { AnswerOf } from '../contract/operations.ts';
import { argumentFields } from '../domain/argument-fields.ts';
import { type FormFaults, placeFaults } from '../domain/filled-fields.ts';
import { ArgumentsForm } from './ArgumentsForm.tsx';
import { Copies } from './Copies.tsx';
import {
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
import { Fault } from './Notes.tsx';
import { Plan } from './Plan.tsx';
import { useOutlook } from './plan.ts';
import { useClient } from './session.tsx';
import { newKey, runPath } from './words.ts';

export function StartForm({ job }: { readonly job: AnswerOf<'getJob'> }): ReactNode {
  const client = useClient();
  const [, navigate] = useLocation();
  const asked = new URLSearchParams(useSearch());
  /** The run that is run again, with what is changed here. */
  const rerunOf = asked.get('rerun');
  const from = rerunOf ?? asked.get('from');
  const schema = JSON.stringify(job.args);
  // A job that is read again with the same schema keeps what is typed.
  const fields = useMemo(() => argumentFields(job.args), [schema]);
  const [filled, setFilled] = useState<readonly FieldTexts[]>([]);
  const [touched, setTouched] = useState<ReadonlySet<number>>(new Set());
  const [note, setNote] = useState<string | null>(null);
  const [isStarting, setStarting] = useState(false);
  const [isTried, setTried] = useState(false);
  /** The same until something is changed or has started, so that a press after a broken answer starts nothing twice. */
  const startKey = useRef(newKey());
  /** What is typed where the arguments are written as JSON; null: into fields. */
  const [json, setJson] = useState<string | null>(null);
  const read = useMemo(() => (json === null ? readTexts(fields, filled) : readJsonText(json)), [fields, filled, json]);
  const { args, faults: own } = read;
  const outlook = useOutlook(job.id, args);
  const faults = useMemo(() => {
    const placed = placeFaults(json === null ? fields : [], outlook?.kind === 'faults' ? outlook.errors : [], own);
    if (rerunOf === null) return placed;
    // What is left empty is as it was.
    const isFilled = (index: number): boolean => (filled[index]?.texts.length ?? 0) > 0;
    return { ...placed, byField: new Map([...placed.byField].filter(([index]) => isFilled(index))) };
  }, [fields, filled, json, outlook, own, rerunOf]);
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
        const asJson = homeless.length > 0 ? ` As JSON: no field holds ${homeless.join(', ')}.` : '';
        setFromNote(
          rerunOf === null
            ? `Filled in from ${from}.${asJson} Secrets have to be given anew.`
            : `${from} is run again on its revision, with what is changed here.${asJson} What is left empty stays as it was, secrets too.`,
        );
      },
      (error: unknown) => {
        if (!ending.signal.aborted) setFromNote(faultText(error));
      },
    );
    return () => ending.abort();
  }, [client, from, rerunOf, fields]);

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
    if (isStarting) return;
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
      navigate(runPath(runId));
    } catch (error) {
      setNote(faultsOf(error) ? 'The arguments are not right yet.' : faultText(error));
      const first = Math.min(...faults.byField.keys());
      if (Number.isFinite(first)) document.getElementById(`field-${first}`)?.focus();
    } finally {
      setStarting(false);
    }
  }

  // Nobody is told that a field is missing before it was their turn to fill it in.
  const shown = new Map([...faults.byField].filter(([index]) => isTried || touched.has(index)));
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
  const planNote =
    rerunOf !== null && oldRevision !== null && oldRevision !== job.revision
      ? `The job has changed since ${rerunOf}. This is what it would do now; run again it does what it did at revision ${oldRevision.slice(0, 12)}.`
      : null;
  const words =
    rerunOf !== null && outlook?.kind === 'faults' && countOf(faults) === 0
      ? ({ text: 'Would run again with this.', tone: 'good' } as const)
      : outlookWords(outlook, countOf(faults));
  return (
    <div className="columns">
      <form
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
          </p>
        )}
        {json === null ? (
          <ArgumentsForm fields={fields} filled={filled} faults={shown} change={change} />
        ) : (
          <label className="field">
            <span className="label">Arguments as JSON</span>
            <textarea
              rows={10}
              spellCheck={false}
              value={json}
              aria-describedby="json-secrets json-faults"
              aria-invalid={read.fault !== undefined || faults.others.length > 0}
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
          {read.fault !== undefined && <p className="fault">{read.fault}</p>}
          {faults.others.map((fault) => (
            <p key={fault} className="fault">
              {fault}
            </p>
          ))}
        </div>
        {note !== null && <Fault text={note} />}
        <p className={`outlook outlook-${words.tone}`} role="status">
          {note !== null && words.tone === 'good' ? '' : words.text}
        </p>
        <div className="actions">
          <button type="submit" className="primary" disabled={isStarting || read.fault !== undefined}>
            {isStarting ? 'Starting…' : rerunOf === null ? 'Start' : 'Run again'}
          </button>
          <button type="button" aria-pressed={json !== null} disabled={read.fault !== undefined} onClick={turnOver}>
            As JSON
          </button>
          {rerunOf === null && json === null && (
            <Copies jobId={job.id} args={shownArguments(fields, filled, 'SECRET')} secrets={secrets} />
          )}
        </div>
      </form>
      <Plan outlook={outlook} note={planNote} />
    </div>
  );
}

function countOf({ byField, others }: FormFaults): number {
  return byField.size + others.length;
}
