// The question of a step that waits for an approval, and the answer to it.

import { Check, CircleUserRound, X } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { WhoMay } from '../approvals/AnswerForm.tsx';
import { type Decision, useAnswering } from '../approvals/answering.ts';
import { useWaitingApprovals } from '../approvals/waiting-approvals.ts';
import { Button } from '../design/controls/Button.tsx';
import { Field, Input } from '../design/controls/Input.tsx';
import { Age } from '../design/text/Time.tsx';
import { failureOf } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { ErrorNote } from '../widgets/Notes.tsx';
import { harmless, type Run, type Step } from '../words.ts';
import styles from './ApprovalCard.module.css';

export function ApprovalCard({ run, step }: { readonly run: Run; readonly step: Step }): ReactNode {
  const mayApprove = useScopes()('runs:approve');
  const waiting = useWaitingApprovals();
  const list = waiting.data;
  const asked = list?.approvals.find((one) => one.run_id === run.run_id && one.step_id === step.step_id);
  // If the list of approvals is incomplete or could not be read, the buttons are offered and the server decides.
  const isUnknown = failureOf(waiting) !== null || (list !== undefined && list.total > list.approvals.length);
  const mayAnswer = asked?.may_answer ?? (isUnknown && mayApprove === true);
  const [reason, setReason] = useState('');
  const [isReasonMissing, setReasonMissing] = useState(false);
  const { answer, isBusy, error } = useAnswering();
  const decide = (decision: Decision): void => {
    const isMissing = decision === 'deny' && reason.trim() === '';
    setReasonMissing(isMissing);
    if (!isMissing) answer({ run_id: run.run_id, step_id: step.step_id }, decision, reason);
  };
  return (
    <section className={styles.card} aria-label={`Approval of ${step.step_id}`}>
      <div className={styles.asked}>
        <CircleUserRound size={16} aria-hidden="true" className={styles.icon} />
        <div>
          <h2 className={styles.question}>{harmless(step.message ?? `Continue with ${step.step_id}?`)}</h2>
          <p className={styles.since}>
            {step.step_id} asked {step.started_at !== null && <Age at={step.started_at} />}
          </p>
        </div>
      </div>
      {error !== null && <ErrorNote text={error} />}
      {asked && !asked.may_answer && <WhoMay asked={asked} />}
      {mayAnswer && (
        <form
          className={styles.answer}
          onSubmit={(event) => {
            event.preventDefault();
            decide('approve');
          }}
        >
          <div className={styles.reason}>
            <Field
              label="Reason"
              error={
                isReasonMissing ? 'Say why you deny it. The reason appears in the audit log and on this page.' : null
              }
            >
              {(attributes) => (
                <Input {...attributes} value={reason} onChange={(event) => setReason(event.target.value)} />
              )}
            </Field>
          </div>
          <Button type="submit" look="primary" size="form" icon={Check} disabled={isBusy}>
            Approve
          </Button>
          <Button look="danger" size="form" icon={X} disabled={isBusy} onClick={() => decide('deny')}>
            Deny
          </Button>
        </form>
      )}
    </section>
  );
}
