// Reads the backfills, and asks the server what a new backfill would start.

import { useEffect, useState } from 'react';
import { errorText } from '../../client/error-words.ts';
import { errorsOf } from '../../client/outlook.ts';
import type { AnswerOf, BodyOf } from '../../contract/operations.ts';
import type { ArgumentError } from '../../domain/filled-fields.ts';
import { type Answer, useAnswer } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { useClient } from '../session/session.tsx';

export type Backfill = AnswerOf<'getBackfill'>;

const busyMs = 2_000;
const idleMs = 15_000;
/** Leaves room for all backfills under way: a tenant has at most 20 of them. */
const mostRead = 200;

/** The newest backfills. They are polled, because no event reports their progress. */
export function useBackfills(): Answer<readonly Backfill[]> {
  const may = useScopes();
  return useAnswer(
    ['backfills'],
    async (client, signal) => (await client.call('listBackfills', { query: { limit: mostRead }, signal })).backfills,
    {
      enabled: may('runs:read') === true,
      refetchInterval: ({ state: { data } }) => (data?.some(isOpen) ? busyMs : idleMs),
    },
  );
}

export function isOpen({ status }: Backfill): boolean {
  return status === 'running';
}

/** How many runs the backfill starts in all. */
export function runsOf({ in_span: inSpan, left_out: leftOut }: Backfill): number {
  return inSpan - leftOut;
}

export type Preview =
  | { readonly kind: 'times'; readonly preview: AnswerOf<'previewBackfill'> }
  | { readonly kind: 'errors'; readonly errors: readonly ArgumentError[] }
  | { readonly kind: 'none'; readonly why: string };

const settleMs = 200;

type Previewed = {
  /** null: the server has not answered yet. */
  readonly preview: Preview | null;
  /** false: the preview is still that of an earlier span. */
  readonly isCurrent: boolean;
};

/** Asks the server for a preview whenever typing pauses. The last preview stays until the next one arrives. */
export function usePreview(scheduleId: string, span: BodyOf<'previewBackfill'> | null): Previewed {
  const client = useClient();
  const [last, setLast] = useState<{ readonly key: string; readonly preview: Preview } | null>(null);
  const key = span && JSON.stringify(span);
  // The effect depends on `key` instead of `span`, which is a new object each time.
  useEffect(() => {
    if (span === null || key === null) {
      setLast(null);
      return undefined;
    }
    const ending = new AbortController();
    const { signal } = ending;
    const timer = setTimeout(() => {
      client.call('previewBackfill', { path: { schedule_id: scheduleId }, body: span, signal }).then(
        (answer) => setLast({ key, preview: { kind: 'times', preview: answer } }),
        (error: unknown) => {
          if (!signal.aborted) setLast({ key, preview: errorsOf(error) ?? { kind: 'none', why: errorText(error) } });
        },
      );
    }, settleMs);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [client, scheduleId, key]);
  return { preview: last?.preview ?? null, isCurrent: last !== null && last.key === key };
}
