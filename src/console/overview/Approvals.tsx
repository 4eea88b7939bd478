// The approvals that wait for an answer. Callers who may answer can answer here.

import { ChevronRight } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { useAnswering } from '../approvals/answering.ts';
import { type Approval, useWaitingApprovals } from '../approvals/waiting-approvals.ts';
import { Button, ButtonLink } from '../design/controls/Button.tsx';
import { Card } from '../design/text/Card.tsx';
import { JobName } from '../design/text/JobName.tsx';
import { StatusIcon } from '../design/text/Status.tsx';
import { Elapsed } from '../design/text/Time.tsx';
import { ErrorNote, Shown } from '../widgets/Notes.tsx';
import { harmless, runPath } from '../words.ts';
import styles from './Lists.module.css';

const shown = 6;

export function Approvals(): ReactNode {
  const { answer, isBusy, error } = useAnswering();
  const waiting = useWaitingApprovals();
  const approvals = waiting.data?.approvals ?? [];
  const own = approvals.filter(({ may_answer: may }) => may).length;
  return (
    <Card
      title="Approvals"
      count={own === 0 ? '' : own === 1 ? '1 waits for you' : `${own} wait for you`}
      isFlush
      end={
        <Link href="/approvals" className={styles.all} aria-label="All approvals">
          <ChevronRight size={16} aria-hidden="true" />
        </Link>
      }
    >
      {error !== null && <ErrorNote text={error} />}
      <ul className={styles.rows} aria-label="Approvals">
        {approvals.slice(0, shown).map((approval) => (
          <Asked
            key={`${approval.run_id} ${approval.step_id}`}
            approval={approval}
            isBusy={isBusy}
            approve={() => answer(approval, 'approve')}
          />
        ))}
      </ul>
      <Shown of={waiting} what="the approvals">
        {() => approvals.length === 0 && <p className={styles.nothing}>Nothing waits for an answer.</p>}
      </Shown>
    </Card>
  );
}

function Asked({
  approval,
  isBusy,
  approve,
}: {
  readonly approval: Approval;
  readonly isBusy: boolean;
  readonly approve: () => void;
}): ReactNode {
  const { job_id: jobId, run_id: runId, question, since, may_answer: may, by } = approval;
  const href = `/approvals?run=${runId}&step=${encodeURIComponent(approval.step_id)}`;
  return (
    <li className={styles.asked}>
      <StatusIcon of="waiting_approval" />
      <div className={styles.about}>
        <div className={styles.first}>
          <Link href={runPath(runId)} className={styles.job}>
            <JobName id={jobId} />
          </Link>
          <span className={styles.quiet}>
            <Elapsed since={since} />
          </span>
          {may && (
            <span className={styles.actions}>
              {/* Denying needs a reason, for which only the page of approvals has room. */}
              <ButtonLink look="quiet" size="small" href={href}>
                Deny…<span className="unseen"> {jobId}</span>
              </ButtonLink>
              <Button size="small" disabled={isBusy} aria-label={`Approve ${jobId}`} onClick={approve}>
                Approve
              </Button>
            </span>
          )}
        </div>
        <Link href={href} className={styles.question}>
          {harmless(question ?? approval.step_name)}
        </Link>
        {!may && by !== null && <p className={styles.quiet}>{harmless(by.join(', '))} may answer</p>}
      </div>
    </li>
  );
}
