// Shows the files of a job, or says which scope the caller lacks to see them.

import type { ReactNode } from 'react';
import { ApiProblem } from '../../client/api-problem.ts';
import type { JobFiles } from '../../client/job-changes.ts';
import { type Answer, failureOf } from '../session/answers.tsx';
import { Empty, Shown } from '../widgets/Notes.tsx';

export function ShownFiles(o: {
  readonly of: Answer<JobFiles>;
  readonly what: string;
  readonly children: (files: JobFiles) => ReactNode;
}): ReactNode {
  const failure = failureOf(o.of);
  if (failure instanceof ApiProblem && failure.status === 403)
    return (
      <Empty>
        The {o.what} of a job are shown to callers with the scope <code>code:read</code>. Your token does not have it.
      </Empty>
    );
  return (
    <Shown of={o.of} what={`the ${o.what}`}>
      {o.children}
    </Shown>
  );
}
