// Buttons that copy the start of a job as a command for curl or flwd.

import type { ReactNode } from 'react';
import { shellWord } from '../../lib/shell-word.ts';
import { useSession } from '../session/session.tsx';
import { CopyButton } from '../widgets/CopyButton.tsx';

export function Copies({
  jobId,
  args,
  secrets,
}: {
  readonly jobId: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** The names of the secrets whose values are replaced by SECRET in `args`. */
  readonly secrets: readonly string[];
}): ReactNode {
  const { hasToken } = useSession();
  const body = JSON.stringify({ job_id: jobId, args });
  const curl = [
    `curl ${shellWord(`${location.origin}/api/v1/runs`)}`,
    "-H 'content-type: application/json'",
    ...(hasToken ? ['-H "authorization: Bearer $FLWD_TOKEN"'] : []),
    `-d ${shellWord(body)}`,
  ].join(' ');
  const words = Object.keys(args).length > 0 ? ` --args ${shellWord(JSON.stringify(args))}` : '';
  const notes = [
    ...(secrets.length > 0 ? [`Replace SECRET with the value of ${secrets.join(', ')}.`] : []),
    ...(hasToken ? ['Set $FLWD_TOKEN to your token; it is not copied.'] : []),
  ];
  return (
    <>
      <CopyButton label="Copy as curl" text={curl} />
      <CopyButton
        label="Copy as flwd"
        text={`flwd --remote ${shellWord(location.origin)} run ${shellWord(jobId)}${words}`}
      />
      {notes.length > 0 && <p className="hint">{notes.join(' ')}</p>}
    </>
  );
}
