// The form that creates a schedule, or changes a schedule that was created by the API. It shows the next times while a
// user fills it in.

import { type ReactNode, useEffect, useMemo, useState } from 'react';
import type { AnswerOf } from '../../contract/operations.ts';
import { argumentFields } from '../../domain/argument-fields.ts';
import { placeErrors } from '../../domain/filled-fields.ts';
import { Button } from '../design/controls/Button.tsx';
import { Dialog } from '../design/controls/Dialog.tsx';
import { Field, Input, TextArea } from '../design/controls/Input.tsx';
import { Combobox, Select } from '../design/controls/Select.tsx';
import { useChosenJob } from '../jobs/catalog.ts';
import { JobField } from '../jobs/JobField.tsx';
import { useActions } from '../session/actions.ts';
import { useRefresh } from '../session/answers.tsx';
import { ArgumentsForm } from '../start/ArgumentsForm.tsx';
import { besideFields } from '../start/form-texts.ts';
import { useTypedArguments } from '../start/typed-arguments.ts';
import { ErrorNote, Shown, WithCode } from '../widgets/Notes.tsx';
import { HeartbeatFields } from './HeartbeatField.tsx';
import styles from './ScheduleForm.module.css';
import type { Schedule } from './schedule-data.ts';
import { errorAt, missingHeartbeat, type Preview, type Terms, termsOf, toBody, usePreview } from './schedule-form.ts';

type Close = (savedId?: string) => void;

export function ScheduleForm({
  schedule,
  jobId = '',
  close,
}: {
  readonly schedule: Schedule | null;
  /** The job of a new schedule, until the user chooses another job. */
  readonly jobId?: string;
  readonly close: Close;
}): ReactNode {
  const [terms, setTerms] = useState(() => termsOf(schedule, jobId));
  const job = useChosenJob(terms.jobId);
  const change = (changes: Partial<Terms>): void => setTerms((now) => ({ ...now, ...changes }));
  const chooseJob = <JobField jobId={terms.jobId} change={(jobId) => change({ jobId })} />;
  const title = schedule === null ? 'New schedule' : 'Edit the schedule';
  if (terms.jobId === '') return <WithoutJob {...{ title, terms, change, chooseJob, close }} />;
  return (
    <Shown of={job} what="the job">
      {(found) => <OfJob key={found.id} {...{ schedule, title, terms, change, chooseJob, close }} job={found} />}
    </Shown>
  );
}

/** The form before a job is selected. Fields that do not depend on the job can already be filled in. */
function WithoutJob(o: {
  readonly title: string;
  readonly terms: Terms;
  readonly change: (changes: Partial<Terms>) => void;
  readonly chooseJob: ReactNode;
  readonly close: Close;
}): ReactNode {
  const { terms, change } = o;
  return (
    <FormDialog {...o} save={{ label: 'Create the schedule', isDisabled: true }}>
      <TermFields terms={terms} change={change} preview={null} isTried={false}>
        <HeartbeatFields
          terms={terms.heartbeat}
          change={(heartbeat) => change({ heartbeat })}
          before={null}
          error={null}
        />
      </TermFields>
      <p className={styles.next}>Choose a job to see the next times and its arguments.</p>
    </FormDialog>
  );
}

function FormDialog(o: {
  readonly title: string;
  readonly chooseJob: ReactNode;
  readonly close: Close;
  readonly save: { readonly label: string; readonly isDisabled: boolean; readonly act?: () => void };
  readonly children: ReactNode;
}): ReactNode {
  const { label, isDisabled, act } = o.save;
  const actions = (
    <>
      <Button onClick={() => o.close()}>Cancel</Button>
      <Button look="primary" disabled={isDisabled} onClick={act}>
        {label}
      </Button>
    </>
  );
  return (
    <Dialog title={o.title} close={() => o.close()} size="wide" actions={actions}>
      <div className={styles.form}>
        {o.chooseJob}
        {o.children}
      </div>
    </Dialog>
  );
}

/** Keeps the form from storing its arguments as a draft, because drafts are for runs. */
const withoutDraft = { runId: '', isRerun: true };

function OfJob(o: {
  readonly schedule: Schedule | null;
  readonly title: string;
  readonly job: AnswerOf<'getJob'>;
  readonly terms: Terms;
  readonly change: (changes: Partial<Terms>) => void;
  readonly chooseJob: ReactNode;
  readonly close: Close;
}): ReactNode {
  const { schedule, job, terms, change } = o;
  const refresh = useRefresh();
  const { act, isBusy, error } = useActions(() => {
    refresh({ queryKey: ['schedules'] });
    refresh({ queryKey: ['fires'] });
  });
  const args = useArguments(job, schedule?.job_id === job.id ? schedule : null);
  const body = toBody(terms, args.value, schedule);
  const preview = usePreview(body);
  const [isTried, setTried] = useState(false);
  const save = (): void => {
    setTried(true);
    if (preview?.kind !== 'fires' || missingHeartbeat(terms.heartbeat) !== null) return;
    // `body` lacks the values that cannot be read, so the server would accept it without them.
    if (args.typed.read.error !== undefined || args.typed.read.fieldErrors.size > 0) return;
    void act(async (client) => {
      const saved =
        schedule === null
          ? await client.call('createSchedule', { body })
          : await client.call('replaceSchedule', { path: { schedule_id: schedule.id }, body });
      o.close(saved.id);
    });
  };
  const label = schedule === null ? 'Create the schedule' : 'Save';
  return (
    <FormDialog {...o} save={{ label, isDisabled: isBusy, act: save }}>
      <TermFields terms={terms} change={change} preview={preview} isTried={isTried}>
        <HeartbeatFields
          terms={terms.heartbeat}
          change={(heartbeat) => change({ heartbeat })}
          before={schedule?.heartbeat ?? null}
          error={errorAt(preview, 'heartbeat') ?? (isTried ? missingHeartbeat(terms.heartbeat) : null)}
        />
      </TermFields>
      <Next preview={preview} />
      <section aria-label="Arguments" className={styles.arguments}>
        <h3>Arguments</h3>
        <ArgumentInputs args={args} preview={preview} isTried={isTried} />
      </section>
      {isTried && preview?.kind === 'none' && <ErrorNote text={preview.why} />}
      {error !== null && <ErrorNote text={error} />}
    </FormDialog>
  );
}

function useArguments(job: AnswerOf<'getJob'>, before: Schedule | null) {
  const schema = JSON.stringify(job.args);
  const fields = useMemo(() => argumentFields(job.args), [schema]);
  const typed = useTypedArguments(job.id, fields, withoutDraft);
  useEffect(() => {
    if (before) typed.fillIn(JSON.parse(JSON.stringify(before.args)));
    // The form is filled in only once, so that it does not overwrite what the user types.
  }, []);
  return { fields, typed, value: typed.read.args };
}

type Arguments = ReturnType<typeof useArguments>;

function ArgumentInputs(o: {
  readonly args: Arguments;
  readonly preview: Preview | null;
  readonly isTried: boolean;
}): ReactNode {
  const { fields, typed } = o.args;
  const errors = o.preview?.kind === 'errors' ? o.preview.errors : [];
  if (typed.json !== null) {
    return (
      <Field label="Arguments as JSON" error={o.isTried ? (typed.read.error ?? messageOf(errors)) : null}>
        {(attributes) => (
          <TextArea
            {...attributes}
            isMono
            rows={8}
            value={typed.json ?? ''}
            onChange={(event) => typed.writeJson(event.target.value)}
          />
        )}
      </Field>
    );
  }
  const { byField, others } = placeErrors(
    fields,
    errors.filter(({ pointer }) => String(pointer).startsWith('/args')),
    typed.read.fieldErrors,
  );
  const placed = besideFields(fields, typed.filled, byField, errors);
  return (
    <>
      <ArgumentsForm
        id="schedule"
        fields={fields}
        filled={typed.filled}
        args={typed.read.args}
        before={null}
        fieldErrors={new Map([...placed].filter(([index]) => o.isTried || typed.touched.has(index)))}
        errors={errors}
        isTried={o.isTried}
        change={typed.change}
      />
      {o.isTried && others.map((text) => <ErrorNote key={text} text={text} />)}
    </>
  );
}

function messageOf(errors: readonly { readonly pointer?: unknown; readonly message?: unknown }[]): string | null {
  const found = errors.find(({ pointer }) => String(pointer).startsWith('/args'));
  return found === undefined ? null : `${String(found.pointer)} ${String(found.message)}`;
}

const catchUps = [
  { value: 'none', label: 'Leave them out' },
  { value: 'last', label: 'Catch up on the newest one' },
  { value: 'all', label: 'Catch up on each one' },
] as const;

function TermFields(o: {
  readonly terms: Terms;
  readonly change: (changes: Partial<Terms>) => void;
  readonly preview: Preview | null;
  readonly isTried: boolean;
  readonly children: ReactNode;
}): ReactNode {
  const { terms, change, preview } = o;
  const zones = useMemo(() => ['UTC', ...Intl.supportedValuesOf('timeZone')], []);
  const cronError =
    errorAt(preview, 'cron') ??
    errorAt(preview, 'at') ??
    (o.isTried && terms.cron.trim() === '' ? 'Enter a pattern.' : null);
  return (
    <div className={styles.terms}>
      <Field
        label="When"
        isRequired
        error={cronError}
        hint={
          <>
            Minute, hour, day, month, weekday, such as <code>0 3 * * 1-5</code>; a word such as <code>@daily</code>; or
            one time such as <code>2026-12-01T09:00:00+01:00</code>
          </>
        }
      >
        {(attributes) => (
          <Input
            {...attributes}
            isMono
            placeholder="0 3 * * *"
            value={terms.cron}
            onChange={(event) => change({ cron: event.target.value })}
          />
        )}
      </Field>
      <Field label="Time zone" hint="Empty: the zone of this instance" error={errorAt(preview, 'timezone')}>
        {(attributes) => (
          <Combobox
            {...attributes}
            label="Time zone"
            size="form"
            choices={zones.map((zone) => ({ value: zone, label: zone }))}
            value={terms.timezone === '' ? null : terms.timezone}
            onChange={(timezone) => change({ timezone })}
          />
        )}
      </Field>
      <Field label="Times missed while the server is off">
        {(attributes) => (
          <Select
            {...attributes}
            label="Times missed while the server is off"
            size="form"
            choices={catchUps}
            value={terms.catchUp}
            onChange={(catchUp) => change({ catchUp })}
          />
        )}
      </Field>
      <Field label="Delay each start by up to" hint="A random time, such as 30s" error={errorAt(preview, 'jitter')}>
        {(attributes) => (
          <Input {...attributes} value={terms.jitter} onChange={(event) => change({ jitter: event.target.value })} />
        )}
      </Field>
      <Field label="Name" hint="To tell schedules of one job apart" error={errorAt(preview, 'name')}>
        {(attributes) => (
          <Input {...attributes} value={terms.name} onChange={(event) => change({ name: event.target.value })} />
        )}
      </Field>
      <DaysField member="calendar" label="Only on these days" {...o} />
      <DaysField member="except" label="Except on these days" {...o} />
      {o.children}
    </div>
  );
}

function DaysField(o: {
  readonly member: 'calendar' | 'except';
  readonly label: string;
  readonly terms: Terms;
  readonly change: (changes: Partial<Terms>) => void;
  readonly preview: Preview | null;
}): ReactNode {
  const { member, label, terms, change, preview } = o;
  const hint = 'Dates such as 2026-12-24, or names of calendars';
  return (
    <Field label={label} hint={hint} error={errorAt(preview, member)}>
      {(attributes) => (
        <Input {...attributes} value={terms[member]} onChange={(event) => change({ [member]: event.target.value })} />
      )}
    </Field>
  );
}

function Next({ preview }: { readonly preview: Preview | null }): ReactNode {
  return (
    <section aria-label="Next times" aria-live="polite" className={styles.next}>
      {preview?.kind === 'fires' && (
        <>
          <h3>{preview.preview.sentence}</h3>
          <ol>
            {preview.preview.next_fires.map(({ nominal_at: at, local }) => (
              <li key={at}>
                <time dateTime={at}>{localWords(local)}</time>
              </li>
            ))}
          </ol>
          {preview.preview.clock_change && <p>{preview.preview.clock_change.text}</p>}
        </>
      )}
      {preview?.kind === 'errors' && <p>The next times appear here once the form has no errors.</p>}
      {preview?.kind === 'none' && (
        <p>
          <WithCode text={preview.why} />
        </p>
      )}
      {preview === null && <p>The next times appear here.</p>}
    </section>
  );
}

const wall = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'short', timeZone: 'UTC' });

function localWords(local: string): string {
  return `${wall.format(new Date(`${local.slice(0, 19)}Z`))} (UTC${local.slice(19)})`;
}
