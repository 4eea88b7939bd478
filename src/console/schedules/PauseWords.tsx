// Says that schedules are paused. The overview and the Schedules page show these words.

import type { ReactNode } from 'react';
import type { AnswerOf } from '../../contract/operations.ts';
import { harmless } from '../words.ts';

type PauseInForce = AnswerOf<'listSchedules'>['pauses'][number];

export function pausedWords({ tenant }: PauseInForce): string {
  return tenant === '*' ? 'All schedules' : `All schedules of ${harmless(tenant)}`;
}

/** @param since the time of the pause, in the time zone of the page */
export function PauseWords({
  of,
  since,
}: {
  readonly of: PauseInForce;
  readonly since: (at: string) => ReactNode;
}): ReactNode {
  return (
    <>
      <strong>
        {pausedWords(of)} {of.since === null ? 'are' : 'have been'} paused
      </strong>
      {of.by !== null && ` by ${harmless(of.by)}`}
      {of.since !== null && <> since {since(of.since)}</>}
      {of.by_operator && (
        <>
          {' '}
          by <code>scheduler.schedules_paused</code> in flwd.yaml
        </>
      )}
      . They start no runs.
    </>
  );
}
