// Shows a run. If the run could not be read, shows its id and the reason.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { idWords } from '../run/run-words.ts';
import { failureText } from '../session/answers.tsx';
import { Shown } from '../widgets/Notes.tsx';
import type { RunWithAttempts, useRunAnswer } from './run-answer.ts';

export function ShownRun({
  runId,
  of: answer,
  children,
}: {
  readonly runId: string;
  readonly of: ReturnType<typeof useRunAnswer>;
  readonly children: (run: RunWithAttempts) => ReactNode;
}): ReactNode {
  return (
    <>
      {!answer.data && failureText(answer) !== null && <PageHeader before={toRuns} title={idWords(runId)} />}
      <Shown of={answer} what="the run" linksIfMissing={<Link href="/runs">All runs</Link>}>
        {children}
      </Shown>
    </>
  );
}

export const toRuns = (
  <span>
    <Link href="/runs">Runs</Link>
  </span>
);
