// The form that starts the runs which a schedule would have started between two times. It first says which runs these
// are.

import { type ReactNode, useState } from 'react';
import type { ArgumentError } from '../../domain/filled-fields.ts';
import { Button } from '../design/controls/Button.tsx';
import { Dialog } from '../design/controls/Dialog.tsx';
import { Field, Input } from '../design/controls/Input.tsx';
import { type Schedule, sentenceWords } from '../schedules/schedule-data.ts';
import { firstYear, instantIn, knownZone, lastYear } from '../schedules/zone-time.ts';
import { useActions } from '../session/actions.ts';
import { useRefresh } from '../session/answers.tsx';
import { ErrorNote, Scrolls, WithCode } from '../widgets/Notes.tsx';
import { countOf, countWords, harmless } from '../words.ts';
import styles from './BackfillForm.module.css';
import { type Preview, usePreview } from './backfill-data.ts';

const mostAtOnce = 100;

export function BackfillForm(o: { readonly schedule: Schedule; readonly close: () => void }): ReactNode {
  const { schedule } = o;
  const zone = knownZone(schedule.timezone);
  const [from, setFrom] = useState('');
  const [until, setUntil] = useState('');
  const [atOnce, setAtOnce] = useState('1');
  const [isTried, setTried] = useState(false);
  const refresh = useRefresh();
  const { act, isBusy, error } = useActions(() => {
    for (const key of ['backfills', 'schedules', 'fires']) refresh({ queryKey: [key] });
  });
  const span = spanOf(zone, from, until);
  const { preview, isCurrent } = usePreview(schedule.id, span);
  const count = isCurrent && preview?.kind === 'times' ? preview.preview.times.length : 0;
  const atOnceError = isCount(atOnce) ? null : `Enter a whole number from 1 to ${mostAtOnce}.`;
  const start = (): void => {
    setTried(true);
    if (span === null || count === 0 || atOnceError !== null) return;
    void act(async (client) => {
      const path = { schedule_id: schedule.id };
      await client.call('createBackfill', { path, body: { ...span, at_once: Number(atOnce) } });
      o.close();
    });
  };
  const actions = (
    <>
      <Button onClick={o.close}>Cancel</Button>
      <Button look="primary" disabled={isBusy || (span !== null && count === 0)} onClick={start}>
        {count > 0 ? `Start ${countOf(count, 'run')}` : 'Start the runs'}
      </Button>
    </>
  );
  return (
    <Dialog title={`Backfill ${harmless(schedule.job_id)}`} close={o.close} size="wide" actions={actions}>
      <div className={styles.form}>
        <p className={styles.what}>
          Starts the runs that “{sentenceWords(schedule)}” would have started, oldest first. Times that already have a
          run are left out.
        </p>
        <div className={styles.span}>
          <TimeField
            label="From"
            hint={`In ${zone}`}
            isRequired
            value={from}
            error={(isTried ? lackOf(zone, from) : null) ?? errorAt(preview, 'From')}
            change={setFrom}
          />
          <TimeField
            label="Until"
            hint={`In ${zone}, not included. Empty: now`}
            value={until}
            error={(isTried && until !== '' ? lackOf(zone, until) : null) ?? errorAt(preview, 'Until')}
            change={setUntil}
          />
          <Field label="Runs at a time" hint="How many of its runs may be unfinished at a time" error={atOnceError}>
            {(attributes) => (
              <Input
                {...attributes}
                type="number"
                min={1}
                max={mostAtOnce}
                value={atOnce}
                onChange={(event) => setAtOnce(event.target.value)}
              />
            )}
          </Field>
        </div>
        <Outcome preview={preview} isPaused={schedule.paused} />
        {error !== null && <ErrorNote text={error} />}
      </div>
    </Dialog>
  );
}

/** Returns the span between the two times of the form; null if a time is missing or not valid. */
function spanOf(zone: string, from: string, until: string): { readonly from: string; readonly until?: string } | null {
  const [first, last] = [instantIn(zone, from), until === '' ? undefined : instantIn(zone, until)];
  if (first === null || last === null) return null;
  return { from: first, ...(last !== undefined && { until: last }) };
}

/** Says what a field lacks; null if it has a valid time. */
function lackOf(zone: string, wall: string): string | null {
  if (wall === '') return 'Enter a time.';
  return instantIn(zone, wall) === null ? `Enter a year from ${firstYear} to ${lastYear}.` : null;
}

function isCount(text: string): boolean {
  const count = Number(text);
  return text.trim() !== '' && Number.isInteger(count) && count >= 1 && count <= mostAtOnce;
}

function TimeField(o: {
  readonly label: string;
  readonly hint: string;
  readonly isRequired?: boolean;
  readonly value: string;
  readonly error: string | null;
  readonly change: (value: string) => void;
}): ReactNode {
  return (
    <Field label={o.label} hint={o.hint} error={o.error} {...(o.isRequired && { isRequired: true })}>
      {(attributes) => (
        <Input
          {...attributes}
          type="datetime-local"
          value={o.value}
          onChange={(event) => o.change(event.target.value)}
        />
      )}
    </Field>
  );
}

/** Shows what the server says about the span, before anything starts. */
function Outcome({ preview, isPaused }: { readonly preview: Preview | null; readonly isPaused: boolean }): ReactNode {
  return (
    <section aria-label="What would start" aria-live="polite" className={styles.outcome}>
      {preview === null && <p>The number of runs appears here.</p>}
      {preview?.kind === 'times' && <Times of={preview.preview} />}
      {preview?.kind === 'errors' && (
        <p>
          <WithCode text={othersOf(preview.errors) ?? 'The number of runs appears here once the form has no errors.'} />
        </p>
      )}
      {preview?.kind === 'none' && <ErrorNote text={preview.why} />}
      {isPaused && <p>All schedules are paused: the backfill starts nothing until they are resumed.</p>}
    </section>
  );
}

function Times({ of }: { readonly of: Extract<Preview, { kind: 'times' }>['preview'] }): ReactNode {
  const { times, left_out: leftOut, runs_known_since: since } = of;
  const isForgotten = since !== null && times.some(({ nominal_at: at }) => at < since);
  return (
    <>
      <h3>{times.length === 0 ? 'No run would start' : `${countOf(times.length, 'run')} would start`}</h3>
      {leftOut > 0 && <p>{leftOut === 1 ? '1 time has' : `${countWords(leftOut)} times have`} a run already.</p>}
      {isForgotten && (
        <p>Runs that ended before {since.slice(0, 10)} were removed, so earlier times may have had a run.</p>
      )}
      {times.length > 0 && (
        <details>
          <summary>{times.length === 1 ? 'The time' : `The ${countWords(times.length)} times`}</summary>
          <Scrolls label="Times" className={styles.times ?? ''}>
            <ol>
              {times.map(({ nominal_at: at, local }) => (
                <li key={at}>
                  <time dateTime={at} title={at}>
                    {wallWords(local)}
                  </time>
                </li>
              ))}
            </ol>
          </Scrolls>
        </details>
      )}
    </>
  );
}

const wall = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' });
const weekday = new Intl.DateTimeFormat('en-GB', { weekday: 'short', timeZone: 'UTC' });

/** Formats a local time of the schedule's time zone. */
function wallWords(local: string): string {
  const at = new Date(`${local.slice(0, 19)}Z`);
  return `${weekday.format(at)} ${wall.format(at)}`;
}

/** The first error of a field, such as "From must be before until". */
function errorAt(preview: Preview | null, label: string): string | null {
  if (preview?.kind !== 'errors') return null;
  const message = messageOf(preview.errors, (pointer) => pointer === `/${label.toLowerCase()}`);
  return message === null ? null : `${label} ${message.replaceAll('`', '')}`;
}

/** The first error that belongs to no field. */
function othersOf(errors: readonly ArgumentError[]): string | null {
  return messageOf(errors, (pointer) => pointer !== '/from' && pointer !== '/until');
}

function messageOf(errors: readonly ArgumentError[], isAsked: (pointer: unknown) => boolean): string | null {
  const message = errors.find(({ pointer }) => isAsked(pointer))?.message;
  return typeof message === 'string' ? message : null;
}
