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
        To see the {o.what} of a job, you need a token with the scope <code>code:read</code>.
      </Empty>
    );
  return (
    <Shown of={o.of} what={`the ${o.what}`}>
      {o.children}
    </Shown>
  );
}
