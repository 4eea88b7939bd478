// The form that starts a job, or runs one of its runs again. Beside it is what would happen.

import { Braces, ChevronDown, History, LoaderCircle, Play, RotateCcw } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, type RefObject, useRef } from 'react';
import { Link, useLocation } from 'wouter';
import type { AnswerOf } from '../../contract/operations.ts';
import { Button, ButtonGroup, IconButton } from '../design/controls/Button.tsx';
import { Field, TextArea } from '../design/controls/Input.tsx';
import { Menu } from '../design/controls/Menu.tsx';
import { Card } from '../design/text/Card.tsx';
import { Kbd } from '../design/text/Kbd.tsx';
import { narrowPx, useWidth } from '../design/width.ts';
import { useNow } from '../session/clock.ts';
import { useScopes } from '../session/scopes.ts';
import { ErrorNote } from '../widgets/Notes.tsx';
import { localTime, type RunRow, statusLooks } from '../words.ts';
import { ArgumentsForm } from './ArgumentsForm.tsx';
import { Copies } from './Copies.tsx';
import { DifferencesCard } from './DifferencesCard.tsx';
import { useFormFocus } from './form-focus.ts';
import { MoreOptions } from './MoreOptions.tsx';
import { PlanCard } from './PlanCard.tsx';
import { Sentence } from './Sentence.tsx';
import styles from './StartForm.module.css';
import { useStartForm } from './start-form.ts';

type Form = ReturnType<typeof useStartForm>;
type Job = AnswerOf<'getJob'>;

export function StartForm({
  job,
  lastRuns,
  graph,
  workMs,
}: {
  readonly job: Job;
  /** The runs whose arguments can be filled in. */
  readonly lastRuns: readonly RunRow[];
  /** The steps of the job. */
  readonly graph: ReactNode;
  /** How long the job usually works. */
  readonly workMs: number | null;
}): ReactNode {
  const mayStart = useScopes()('runs:write');
  const isNarrow = useWidth() < narrowPx;
  const frame = useRef<HTMLFormElement>(null);
  const form = useStartForm(job, () => {
    // The link that fills in an earlier run's arguments may be below the form, so the form is scrolled into view.
    frame.current?.scrollIntoView({ block: 'start' });
    frame.current?.focus({ preventScroll: true });
  });
  useFormFocus(frame);
  const { request } = form;
  const { submit, focusWrong } = useSubmit(form, frame, mayStart);
  const copies = mayStart !== false && form.rerunOf === null && <Copies form={form} jobId={job.id} />;
  const sentence = <Sentence form={form} job={job} workMs={workMs} focusWrong={focusWrong} />;
  return (
    <div className={styles.columns}>
      <form
        ref={frame}
        tabIndex={-1}
        noValidate
        aria-label="Arguments"
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
        onKeyDown={(event: KeyboardEvent) => {
          if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          submit();
        }}
      >
        <Card
          title={form.rerunOf === null ? 'Arguments' : 'Run again with changes'}
          isFlush
          end={<Heading form={form} lastRuns={lastRuns} />}
        >
          <div className={styles.content}>
            <EarlierNote form={form} />
            <Fields form={form} />
            <OtherErrors form={form} />
            {request.note !== null && <ErrorNote text={request.note} />}
            {form.rerunOf === null && <MoreOptions form={form} job={job} />}
            {isNarrow && sentence}
            {isNarrow && copies}
          </div>
          <footer className={styles.actions}>
            <Actions form={form} mayStart={mayStart} />
            {!isNarrow && copies}
          </footer>
        </Card>
      </form>
      <div className={styles.side}>
        <PlanCard form={form} job={job} sentence={isNarrow ? null : sentence} graph={graph} />
        <DifferencesCard form={form} revision={job.revision} />
      </div>
    </div>
  );
}

function useSubmit(form: Form, frame: RefObject<HTMLFormElement | null>, mayStart: boolean | null) {
  const { typed, request, fieldErrors, optionErrors } = form;
  const isNoJson = typed.read.error !== undefined;
  const isOptionWrong = Object.keys(optionErrors).length > 0;
  const focusWrong = (): void => {
    request.setTried();
    // Waits a frame, because the field does not show its error before then.
    requestAnimationFrame(() => {
      const first = document.getElementById(`field-${Math.min(...fieldErrors.byField.keys())}`);
      const wrong = first ?? frame.current?.querySelector('[aria-invalid="true"]');
      const target = wrong?.matches('input, textarea, button')
        ? wrong
        : wrong?.querySelector('input, textarea, button');
      target?.closest('details')?.setAttribute('open', '');
      if (target instanceof HTMLElement) target.focus();
    });
  };
  const submit = (): void => {
    if (mayStart === false) return;
    if (isNoJson || isOptionWrong || fieldErrors.byField.size > 0) focusWrong();
    else void request.start(typed.read.args, focusWrong);
  };
  return { submit, focusWrong };
}

function Heading({ form, lastRuns }: { readonly form: Form; readonly lastRuns: readonly RunRow[] }): ReactNode {
  const now = useNow(60_000);
  const [path, navigate] = useLocation();
  const { typed, known, fields, turnOver } = form;
  const [last] = lastRuns;
  const fillInLast = (runId: string): void => {
    navigate(`${path}?from=${encodeURIComponent(runId)}`, { replace: true });
    // The arguments are filled in even if the address has not changed, because the user may have changed them since.
    known.fillInAgain();
  };
  return (
    <>
      {last && fields.length > 0 && (
        <ButtonGroup label="Fill in">
          <Button look="quiet" size="small" icon={History} onClick={() => fillInLast(last.run_id)}>
            Fill in from the last run
          </Button>
          <Menu
            trigger={<IconButton size="small" icon={ChevronDown} label="Fill in from another run" />}
            entries={lastRuns.map((run) => ({
              label: localTime(run.created_at, now),
              note: statusLooks[run.status].word,
              href: `?from=${encodeURIComponent(run.run_id)}`,
            }))}
          />
        </ButtonGroup>
      )}
      <Button look="quiet" size="small" icon={Braces} disabled={typed.read.error !== undefined} onClick={turnOver}>
        {typed.json === null ? 'As JSON' : 'As fields'}
      </Button>
    </>
  );
}

function EarlierNote({ form: { known, rerunOf } }: { readonly form: Form }): ReactNode {
  if (known.note === null) return null;
  return (
    <p className={styles.note} role="status">
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

function Fields({ form }: { readonly form: Form }): ReactNode {
  const { typed, fields } = form;
  if (typed.json !== null) return <JsonInput form={form} json={typed.json} />;
  return (
    <ArgumentsForm
      id="field"
      fields={fields}
      filled={typed.filled}
      args={typed.read.args}
      before={form.known.before}
      fieldErrors={form.shownErrors}
      errors={form.errors}
      isTried={form.request.isTried}
      differences={form.differences}
      change={form.change}
    />
  );
}

function JsonInput({ form, json }: { readonly form: Form; readonly json: string }): ReactNode {
  const { secrets, fieldErrors, typed } = form;
  return (
    <Field
      label="Arguments as JSON"
      {...(secrets.length > 0 && {
        hint: `The JSON leaves out secret values: ${secrets.join(', ')}. Add them here, or go back to the fields.`,
      })}
    >
      {(attributes) => (
        <TextArea
          {...attributes}
          aria-describedby={`${attributes['aria-describedby']} ${errorsId}`}
          aria-invalid={typed.read.error !== undefined || fieldErrors.others.length > 0}
          isMono
          rows={12}
          spellCheck={false}
          value={json}
          onChange={(event) => form.changeJson(event.target.value)}
        />
      )}
    </Field>
  );
}

const errorsId = 'form-errors';

/** The errors that belong to no field. */
function OtherErrors({ form: { typed, fieldErrors } }: { readonly form: Form }): ReactNode {
  const errors = typed.read.error === undefined ? fieldErrors.others : [typed.read.error];
  return (
    <div id={errorsId} className={styles.errors}>
      {errors.map((error) => (
        <p key={error}>{error}</p>
      ))}
    </div>
  );
}

function Actions({ form, mayStart }: { readonly form: Form; readonly mayStart: boolean | null }): ReactNode {
  const { typed, rerunOf } = form;
  const { isStarting } = form.request;
  if (mayStart === false) return <p className={styles.refused}>Your token does not let you start runs.</p>;
  return (
    <Button
      type="submit"
      look="primary"
      size="form"
      icon={isStarting ? LoaderCircle : rerunOf === null ? Play : RotateCcw}
      disabled={typed.read.error !== undefined}
      // `disabled` would take the focus away, so these attributes are used.
      aria-busy={isStarting}
      aria-disabled={isStarting}
    >
      {isStarting ? 'Starting…' : rerunOf === null ? 'Run' : 'Run again'}
      {!isStarting && (
        <span className={styles.keys} aria-hidden="true">
          <Kbd>Ctrl ⏎</Kbd>
        </span>
      )}
    </Button>
  );
}
