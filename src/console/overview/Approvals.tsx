// What waits for an answer. People who may answer do it here.

import { ChevronRight } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { spanWords } from '../../client/took.ts';
import { type Decision, useAnswering } from '../approvals/answering.ts';
import { type Approval, useWaitingApprovals } from '../approvals/waiting-approvals.ts';
import { Button } from '../design/controls/Button.tsx';
import { Confirm } from '../design/controls/Dialog.tsx';
import { Card } from '../design/text/Card.tsx';
import { JobName } from '../design/text/JobName.tsx';
import { StatusIcon } from '../design/text/Status.tsx';
import { ErrorNote } from '../widgets/Notes.tsx';
import { harmless, runPath } from '../words.ts';
import styles from './Lists.module.css';

const shown = 6;
const minuteMs = 60_000;

export function Approvals({ nowMs }: { readonly nowMs: number }): ReactNode {
  const { answer, isBusy, error } = useAnswering();
  const { data } = useWaitingApprovals();
  const approvals = data?.approvals ?? [];
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
            nowMs={nowMs}
            isBusy={isBusy}
            decide={(decision) => answer(approval, decision)}
          />
        ))}
      </ul>
      {data && approvals.length === 0 && <p className={styles.nothing}>Nothing waits for an answer.</p>}
    </Card>
  );
}

function Asked({
  approval,
  nowMs,
  isBusy,
  decide,
}: {
  readonly approval: Approval;
  readonly nowMs: number;
  readonly isBusy: boolean;
  readonly decide: (decision: Decision) => void;
}): ReactNode {
  const [isDenying, setDenying] = useState(false);
  const { job_id: jobId, run_id: runId, question, since, may_answer: may, by } = approval;
  const sinceMs = Math.max(minuteMs, Math.floor((nowMs - Date.parse(since)) / minuteMs) * minuteMs);
  return (
    <li className={styles.asked}>
      <StatusIcon of="waiting_approval" />
      <div className={styles.about}>
        <div className={styles.first}>
          <Link href={runPath(runId)} className={styles.job}>
            <JobName id={jobId} />
          </Link>
          <span className={styles.quiet}>{spanWords(sinceMs)}</span>
          {may && (
            <span className={styles.acts}>
              <Button
                look="quiet"
                size="small"
                disabled={isBusy}
                aria-label={`Deny ${jobId}`}
                onClick={() => setDenying(true)}
              >
                Deny
              </Button>
              <Button size="small" disabled={isBusy} aria-label={`Approve ${jobId}`} onClick={() => decide('approve')}>
                Approve
              </Button>
            </span>
          )}
        </div>
        <Link href={`/approvals?run=${runId}&step=${encodeURIComponent(approval.step_id)}`} className={styles.question}>
          {harmless(question ?? approval.step_name)}
        </Link>
        {!may && by !== null && <p className={styles.quiet}>{harmless(by.join(', '))} may answer</p>}
      </div>
      {isDenying && (
        <Confirm
          title={`Deny ${jobId}?`}
          text="The step fails, and so does what needs it."
          yes="Deny"
          no="Keep waiting"
          confirm={() => decide('deny')}
          close={() => setDenying(false)}
        />
      )}
    </li>
  );
}
