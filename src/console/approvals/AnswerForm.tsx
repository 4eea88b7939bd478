// Approve and Deny, with a reason. Denying needs a reason. Who may not answer sees why instead.

import { Check, X } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { ApiProblem } from '../../client/api-problem.ts';
import { errorText } from '../../client/error-words.ts';
import { Button } from '../design/controls/Button.tsx';
import { Field, TextArea } from '../design/controls/Input.tsx';
import { Kbd } from '../design/text/Kbd.tsx';
import { useRefresh } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { useClient } from '../session/session.tsx';
import { ErrorNote } from '../widgets/Notes.tsx';
import { harmless } from '../words.ts';
import styles from './AnswerForm.module.css';
import type { Approval } from './waiting-approvals.ts';

type Decision = 'approve' | 'deny';

/** @returns a function that answers; it resolves to why it could not, or to null */
export function useAnswering(): (
  asked: Pick<Approval, 'run_id' | 'step_id'>,
  decision: Decision,
  comment: string,
) => Promise<string | null> {
  const client = useClient();
  const refresh = useRefresh();
  return async ({ run_id: runId, step_id: stepId }, decision, comment) => {
    const reason = comment.trim();
    try {
      await client.call('approveRun', {
        path: { run_id: runId },
        body: { step_id: stepId, decision, ...(reason !== '' && { comment: reason }) },
      });
      return null;
    } catch (error) {
      // The panel then says who has answered.
      if (error instanceof ApiProblem && error.slug === 'approval-not-pending') return null;
      return errorText(error);
    } finally {
      refresh({ queryKey: ['approvals'] });
      refresh({ queryKey: ['run', runId] });
    }
  };
}

export function AnswerForm({ asked }: { readonly asked: Approval }): ReactNode {
  const answer = useAnswering();
  const [reason, setReason] = useState('');
  const [error, setError] = useState<string | null>(null);
  const [isReasonMissing, setReasonMissing] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const decide = (decision: Decision): void => {
    const isMissing = decision === 'deny' && reason.trim() === '';
    setReasonMissing(isMissing);
    if (isMissing) return;
    setBusy(true);
    void answer(asked, decision, reason).then((failure) => {
      setError(failure);
      setBusy(false);
    });
  };
  if (!asked.may_answer) return <WhoMay asked={asked} />;
  return (
    <div className={styles.form}>
      <Field
        label="Reason"
        hint="Kept in the audit log, and shown with the run. Needed to deny."
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
      <div className={styles.acts}>
        <Button look="primary" icon={Check} disabled={isBusy} data-key="a" onClick={() => decide('approve')}>
          Approve <Key>A</Key>
        </Button>
        <Button look="danger" icon={X} disabled={isBusy} data-key="d" onClick={() => decide('deny')}>
          Deny <Key>D</Key>
        </Button>
        <span className={styles.who}>
          {asked.by === null
            ? 'You may answer, as may anyone who approves runs.'
            : `You may answer: ${namesOf(asked.by)}.`}
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

function WhoMay({ asked: { by } }: { readonly asked: Approval }): ReactNode {
  const mayApprove = useScopes()('runs:approve');
  if (by !== null) return <p className={styles.who}>Only {namesOf(by)} may answer.</p>;
  return (
    <p className={styles.who}>
      {mayApprove === false ? 'You may not answer: that needs the scope runs:approve.' : 'You may not answer.'}
    </p>
  );
}

function namesOf(by: readonly string[]): string {
  const names = by.map(harmless);
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}
