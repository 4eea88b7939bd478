// Buttons that copy what the form would start: as a command for flwd or curl, or as JSON.

import type { ReactNode } from 'react';
import { CopyButton } from '../design/controls/CopyButton.tsx';
import { useSession } from '../session/session.tsx';
import styles from './Copies.module.css';
import { curlCommand, flwdCommand, requestJson } from './copied-commands.ts';
import { shownArguments } from './form-texts.ts';
import type { useStartForm } from './start-form.ts';

export function Copies({
  form: { fields, typed, options, secrets },
  jobId,
}: {
  readonly form: ReturnType<typeof useStartForm>;
  readonly jobId: string;
}): ReactNode {
  const { hasToken } = useSession();
  const isJson = typed.json !== null;
  if (typed.read.error !== undefined) return null;
  const args = isJson ? typed.read.args : shownArguments(fields, typed.filled, 'SECRET');
  const copied = { origin: location.origin, jobId, args, options };
  const notes = [
    ...(secrets.length > 0 && !isJson
      ? [
          `Replace SECRET with the value of ${secrets.join(', ')}. For flwd, write the value into a file and replace FILE with its path.`,
        ]
      : []),
    ...(hasToken ? ['Set $FLWD_TOKEN to your token; it is not copied.'] : []),
  ];
  return (
    <>
      <span className={styles.copies}>
        <span className={styles.quiet}>Copy as</span>
        <CopyButton isWordy label="flwd" text={flwdCommand(copied, fields, isJson ? null : typed.filled)} />
        <CopyButton isWordy label="curl" text={curlCommand({ ...copied, hasToken })} />
        <CopyButton isWordy label="JSON" text={requestJson(copied, 2)} />
      </span>
      {notes.length > 0 && <p className={styles.notes}>{notes.join(' ')}</p>}
    </>
  );
}
