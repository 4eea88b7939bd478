// The state of the form that makes or changes a schedule, and the server's answer about it while it is filled in.

import { useEffect, useState } from 'react';
import { errorText } from '../../client/error-words.ts';
import { errorsOf } from '../../client/outlook.ts';
import type { AnswerOf, BodyOf } from '../../contract/operations.ts';
import type { ArgumentError } from '../../domain/filled-fields.ts';
import { useClient } from '../session/session.tsx';
import type { Schedule } from './schedule-data.ts';

/** `kept` stands for the stored address, which nobody can read. */
export type HeartbeatTerms = {
  readonly kind: 'kept' | 'none' | 'address' | 'secret';
  /** The address, or the name of the secret. */
  readonly text: string;
};

export type Terms = {
  readonly jobId: string;
  readonly cron: string;
  readonly timezone: string;
  readonly catchUp: Schedule['catch_up'];
  readonly jitter: string;
  readonly name: string;
  /** Dates and names of calendars, separated by commas. */
  readonly calendar: string;
  readonly except: string;
  readonly heartbeat: HeartbeatTerms;
};

export function termsOf(schedule: Schedule | null, jobId: string): Terms {
  return {
    jobId: schedule?.job_id ?? jobId,
    cron: schedule?.cron ?? schedule?.at ?? '',
    timezone: schedule?.timezone ?? '',
    catchUp: schedule?.catch_up ?? 'none',
    jitter: schedule?.jitter ?? '0s',
    name: schedule?.name ?? '',
    calendar: schedule?.calendar?.join(', ') ?? '',
    except: schedule?.except.join(', ') ?? '',
    heartbeat: heartbeatTermsOf(schedule?.heartbeat ?? null),
  };
}

function heartbeatTermsOf(heartbeat: Schedule['heartbeat']): HeartbeatTerms {
  if (heartbeat === null) return { kind: 'none', text: '' };
  return heartbeat.secret === null ? { kind: 'kept', text: '' } : { kind: 'secret', text: heartbeat.secret };
}

/** Makes the request body. Members that the form does not show keep their values. */
export function toBody(
  { jobId, cron, timezone, catchUp, jitter, name, calendar, except, heartbeat }: Terms,
  args: BodyOf<'createSchedule'>['args'],
  before: Schedule | null,
): BodyOf<'createSchedule'> {
  return {
    job_id: jobId,
    ...toWhen(cron.trim()),
    ...(timezone !== '' && { timezone }),
    catch_up: catchUp,
    jitter: jitter.trim() === '' ? '0s' : jitter.trim(),
    ...(name.trim() !== '' && { name: name.trim() }),
    ...(args && { args }),
    ...toHeartbeat(heartbeat, before),
    ...(before && { labels: before.labels, enabled: before.enabled }),
    ...(daysIn(calendar).length > 0 && { calendar: daysIn(calendar) }),
    ...(daysIn(except).length > 0 && { except: daysIn(except) }),
  };
}

function daysIn(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter((word) => word !== ''))];
}

/**
 * Leaves the heartbeat out if it does not change, so that callers who may not set heartbeats can still make schedules.
 */
function toHeartbeat(terms: HeartbeatTerms, before: Schedule | null): Pick<BodyOf<'createSchedule'>, 'heartbeat'> {
  const text = terms.text.trim();
  if (terms.kind === 'none') return before?.heartbeat ? { heartbeat: null } : {};
  if (text === '') return {};
  return { heartbeat: terms.kind === 'secret' ? { secret: text } : text };
}

/** Says which text is missing for the selected kind of heartbeat; null if the schedule can be saved. */
export function missingHeartbeat({ kind, text }: HeartbeatTerms): string | null {
  if (kind === 'none' || kind === 'kept' || text.trim() !== '') return null;
  return kind === 'address' ? 'Enter an address.' : 'Enter the name of a secret.';
}

/** Text that begins with a date is a single time; all other text is a pattern. */
function toWhen(text: string): { readonly cron: string } | { readonly at: string } {
  return /^\d{4}-\d\d-\d\d/.test(text) ? { at: text } : { cron: text };
}

export type Preview =
  | { readonly kind: 'fires'; readonly preview: AnswerOf<'previewSchedule'> }
  | { readonly kind: 'errors'; readonly errors: readonly ArgumentError[] }
  | { readonly kind: 'none'; readonly why: string };

const settleMs = 200;
const shownFires = 5;

/**
 * Asks the server for a preview whenever typing pauses. The last preview stays until the next one arrives. null: no
 * preview has arrived.
 */
export function usePreview(body: BodyOf<'createSchedule'>): Preview | null {
  const client = useClient();
  const [preview, setPreview] = useState<Preview | null>(null);
  const key = JSON.stringify(body);
  const isReady = body.job_id !== '' && body.cron !== '';
  // The effect depends on `key` instead of `body`, which is a new object each time.
  useEffect(() => {
    if (!isReady) {
      setPreview(null);
      return undefined;
    }
    const ending = new AbortController();
    const { signal } = ending;
    const timer = setTimeout(() => {
      client.call('previewSchedule', { query: { fires: shownFires }, body, signal }).then(
        (answer) => setPreview({ kind: 'fires', preview: answer }),
        (error: unknown) => {
          if (!signal.aborted) setPreview(errorsOf(error) ?? { kind: 'none', why: errorText(error) });
        },
      );
    }, settleMs);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [client, key, isReady]);
  return preview;
}

/** The first error of a member of the request, outside its arguments. */
export function errorAt(preview: Preview | null, member: string): string | null {
  if (preview?.kind !== 'errors') return null;
  const found = preview.errors.find(
    ({ pointer }) => pointer === `/${member}` || String(pointer).startsWith(`/${member}/`),
  );
  return typeof found?.message === 'string' ? `${member} ${found.message}` : null;
}
