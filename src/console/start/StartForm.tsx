// The form that starts a job or reruns one of its runs, and beside it the plan.

import { type ReactNode, useRef } from 'react';
import { Link } from 'wouter';
import type { AnswerOf } from '../../contract/operations.ts';
import { useScopes } from '../session/scopes.ts';
import { ErrorNote } from '../widgets/Notes.tsx';
import { ArgumentsForm } from './ArgumentsForm.tsx';
import { Copies } from './Copies.tsx';
import { shownArguments } from './form-texts.ts';
import { Plan } from './Plan.tsx';
import { useStartForm } from './start-form.ts';

type Form = ReturnType<typeof useStartForm>;

export function StartForm({ job }: { readonly job: AnswerOf<'getJob'> }): ReactNode {
  const mayStart = useScopes()('runs:write');
  const frame = useRef<HTMLFormElement>(null);
  const form = useStartForm(job, () => {
    // The link to an earlier run's arguments may be below the form.
    frame.current?.scrollIntoView({ block: 'start' });
    frame.current?.focus({ preventScroll: true });
  });
  const { typed, request, fieldErrors, words } = form;
  const { read } = typed;
  const isNoJson = read.error !== undefined;
  const focusWrong = (): void => {
    const first = Math.min(...fieldErrors.byField.keys());
    const wrong = document.getElementById(`field-${first}`) ?? frame.current?.querySelector('[aria-invalid="true"]');
    if (wrong instanceof HTMLElement) wrong.focus();
  };
  return (
    <div className="columns">
      <form
        ref={frame}
        tabIndex={-1}
        noValidate
        aria-label="Arguments"
        className="panel"
        onSubmit={(event) => {
          event.preventDefault();
          if (mayStart !== false) void request.start(read.args, focusWrong);
        }}
      >
        <h2>{form.rerunOf === null ? 'Start' : 'Rerun'}</h2>
        <EarlierNote form={form} />
        {typed.json === null ? (
          <ArgumentsForm
            id="field"
            fields={form.fields}
            filled={typed.filled}
            args={read.args}
            before={form.known.before}
            fieldErrors={form.shownErrors}
            errors={form.errors}
            isTried={request.isTried}
            change={form.change}
          />
        ) : (
          <JsonInput form={form} json={typed.json} />
        )}
        <div id="json-faults">
          {(read.error === undefined ? fieldErrors.others : [read.error]).map((error) => (
            <p key={error} className="fault">
              {error}
            </p>
          ))}
        </div>
        {request.note !== null && <ErrorNote text={request.note} />}
        <p className={`outlook outlook-${words.tone}`} role="status">
          {isNoJson || form.isSaid ? '' : words.text}
        </p>
        {mayStart === false && <p className="quiet">Your token does not let you start runs.</p>}
        <Actions form={form} jobId={job.id} mayStart={mayStart === true} />
      </form>
      <Plan outlook={isNoJson ? { kind: 'errors', errors: [] } : form.outlook} note={form.planNote} />
    </div>
  );
}

function EarlierNote({ form: { known, rerunOf } }: { readonly form: Form }): ReactNode {
  if (known.note === null) return null;
  return (
    <p className="note" role="status">
      {known.note}
      {known.before !== null && (
        <>
          {' '}
          To remove an argument,{' '}
          <Link href={`?from=${encodeURIComponent(rerunOf ?? '')}`}>start a new run with these arguments</Link>.
        </>
      )}
    </p>
  );
}

function JsonInput({ form, json }: { readonly form: Form; readonly json: string }): ReactNode {
  const { secrets, fieldErrors, typed } = form;
  return (
    <>
      <label className="field">
        <span className="label">Arguments as JSON</span>
        <textarea
          rows={10}
          spellCheck={false}
          value={json}
          aria-describedby="json-secrets json-faults"
          aria-invalid={typed.read.error !== undefined || fieldErrors.others.length > 0}
          onChange={(event) => form.changeJson(event.target.value)}
        />
      </label>
      {secrets.length > 0 && (
        <p className="hint" id="json-secrets">
          The JSON leaves out secret values: {secrets.join(', ')}. Add them here, or go back to the fields.
        </p>
      )}
    </>
  );
}

function Actions(o: { readonly form: Form; readonly jobId: string; readonly mayStart: boolean }): ReactNode {
  const { fields, typed, request, rerunOf, secrets, turnOver } = o.form;
  const isNoJson = typed.read.error !== undefined;
  return (
    <div className="actions">
      {o.mayStart && (
        <button type="submit" className="primary" disabled={request.isStarting || isNoJson}>
          {request.isStarting ? 'Starting…' : rerunOf === null ? 'Start' : 'Rerun'}
        </button>
      )}
      <button type="button" disabled={isNoJson} onClick={turnOver}>
        {typed.json === null ? 'As JSON' : 'As fields'}
      </button>
      {rerunOf === null && typed.json === null && (
        <Copies jobId={o.jobId} args={shownArguments(fields, typed.filled, 'SECRET')} secrets={secrets} />
      )}
    </div>
  );
}
