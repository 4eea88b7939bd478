// The form to approve or deny. A denial needs a reason. Callers who may not answer see why instead.

import { Check, X } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Button } from '../design/controls/Button.tsx';
import { Field, TextArea } from '../design/controls/Input.tsx';
import { Kbd } from '../design/text/Kbd.tsx';
import { useScopes } from '../session/scopes.ts';
import { ErrorNote } from '../widgets/Notes.tsx';
import { harmless } from '../words.ts';
import styles from './AnswerForm.module.css';
import { type Decision, useAnswering } from './answering.ts';
import type { Approval } from './waiting-approvals.ts';

export function AnswerForm({ asked }: { readonly asked: Approval }): ReactNode {
  const { answer, isBusy, error } = useAnswering();
  const [reason, setReason] = useState('');
  const [isReasonMissing, setReasonMissing] = useState(false);
  const decide = (decision: Decision): void => {
    const isMissing = decision === 'deny' && reason.trim() === '';
    setReasonMissing(isMissing);
    if (!isMissing) answer(asked, decision, reason);
  };
  if (!asked.may_answer) return <WhoMay asked={asked} />;
  return (
    <div className={styles.form}>
      <Field
        label="Reason"
        hint="To deny, you must give a reason. It appears in the audit log and on the page of the run."
        error={isReasonMissing ? 'Say why you deny it.' : null}
      >
        {(attributes) => (
          <TextArea
            {...attributes}
            value={reason}
            maxLength={4096}
            onChange={(event) => setReason(event.target.value)}
          />
        )}
      </Field>
      {error !== null && <ErrorNote text={error} />}
      <div className={styles.actions}>
        <Button look="primary" icon={Check} disabled={isBusy} data-key="a" onClick={() => decide('approve')}>
          Approve <Key>A</Key>
        </Button>
        <Button look="danger" icon={X} disabled={isBusy} data-key="d" onClick={() => decide('deny')}>
          Deny <Key>D</Key>
        </Button>
        <span className={styles.who}>
          {asked.by === null ? 'Anyone with the right to approve may answer.' : `${namesOf(asked.by)} may answer.`}
        </span>
      </div>
    </div>
  );
}

function Key({ children }: { readonly children: string }): ReactNode {
  return (
    <span aria-hidden="true">
      <Kbd>{children}</Kbd>
    </span>
  );
}

export function WhoMay({ asked: { by } }: { readonly asked: Approval }): ReactNode {
  const mayApprove = useScopes()('runs:approve');
  if (by !== null) return <p className={styles.who}>Only {namesOf(by)} may answer.</p>;
  return (
    <p className={styles.who}>
      {mayApprove === false
        ? 'You may not answer, because your token lacks the scope runs:approve.'
        : 'You may not answer.'}
    </p>
  );
}

function namesOf(by: readonly string[]): string {
  const names = by.map(harmless);
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}
