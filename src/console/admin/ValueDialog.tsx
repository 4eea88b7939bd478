// Shows the value of a key in the key-value store. The value is read when the dialog opens. It comes from a job, so it
// is only shown as text.

import type { ReactNode } from 'react';
import type { AnswerOf } from '../../contract/operations.ts';
import { sizeWords } from '../../lib/units.ts';
import { CopyButton } from '../design/controls/CopyButton.tsx';
import { Dialog } from '../design/controls/Dialog.tsx';
import { useAnswer } from '../session/answers.tsx';
import { Code, Shown } from '../widgets/Notes.tsx';
import { harmless } from '../words.ts';
import styles from './Admin.module.css';

type Key = AnswerOf<'listKvKeys'>['keys'][number];

export function ValueDialog({ of, close }: { readonly of: Key; readonly close: () => void }): ReactNode {
  const { tenant, namespace, key } = of;
  const value = useAnswer(
    ['kv', namespace, key, tenant],
    (client, signal) => client.call('getKvKey', { path: { namespace, key }, query: { tenant }, signal }),
    // The value is not cached, so it is read again each time the dialog opens.
    { gcTime: 0 },
  );
  return (
    <Dialog title={`Value of ${harmless(key)}`} close={close} size="wide">
      <Shown of={value} what="the value">
        {(entry) => <Value base64={entry.value} />}
      </Shown>
    </Dialog>
  );
}

function Value({ base64 }: { readonly base64: string }): ReactNode {
  const bytes = Uint8Array.from(atob(base64), (byte) => byte.codePointAt(0) ?? 0);
  const text = textOf(bytes);
  return (
    <div className={styles.form}>
      {text !== null && text !== '' && <Code label="Value" text={shownText(text)} />}
      <p className={styles.inLine}>
        <span className={styles.quiet}>
          {text === null ? `${sizeWords(bytes.length)}, binary` : sizeWords(bytes.length)}
        </span>
        {text === null ? (
          <CopyButton isWordy label="Copy as base64" text={base64} />
        ) : (
          <CopyButton isWordy label="Copy the value" text={text} />
        )}
      </p>
    </div>
  );
}

/** null: the value is not UTF-8. */
function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function shownText(text: string): string {
  return (indented(text) ?? text).replaceAll(/[^\t\n\r]+/g, harmless);
}

/** JSON with indentation; null if the text is not JSON, or has a number that JavaScript would round. */
function indented(text: string): string | null {
  try {
    const json = JSON.stringify(JSON.parse(text), null, 2);
    return withoutSpace(json) === withoutSpace(text) ? json : null;
  } catch {
    return null;
  }
}

function withoutSpace(text: string): string {
  return text.replaceAll(/\s/g, '');
}
