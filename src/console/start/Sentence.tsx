// Says in one sentence what would happen: the job starts at once, waits or is refused, or a field needs attention.

import { CircleCheck, CircleX, Clock, PenLine, UserRound } from 'lucide-react';
import type { ReactNode } from 'react';
import { approvalWords } from '../../client/outlook.ts';
import { spanWords } from '../../client/took.ts';
import type { AnswerOf } from '../../contract/operations.ts';
import { harmless } from '../words.ts';
import styles from './Sentence.module.css';
import type { useStartForm } from './start-form.ts';

const icons = { good: CircleCheck, wait: Clock, bad: CircleX, open: PenLine };

export function Sentence({
  form,
  job,
  workMs,
  focusWrong,
}: {
  readonly form: ReturnType<typeof useStartForm>;
  readonly job: AnswerOf<'getJob'>;
  readonly workMs: number | null;
  readonly focusWrong: () => void;
}): ReactNode {
  const { words, typed, outlook, fieldErrors } = form;
  const isSilent = typed.read.error !== undefined || form.isSaid;
  const isPlanned = outlook?.kind === 'plan' && outlook.plan.denied === null;
  const asks = isPlanned ? harmless(approvalWords(job.steps)) : '';
  const tone = isSilent ? 'open' : words.tone;
  const isAsking = asks !== '' && tone === 'good';
  const Icon = isAsking ? UserRound : icons[tone];
  const hasWrong = outlook?.kind !== 'none' && fieldErrors.byField.size > 0;
  return (
    <p className={styles.sentence} role="status">
      {!isSilent && (
        <>
          <span className={styles.icon} data-tone={isAsking ? 'wait' : tone}>
            <Icon size={16} aria-hidden="true" />
          </span>
          <span>
            {hasWrong ? (
              <button type="button" className={styles.lead} data-tone={tone} onClick={focusWrong}>
                {words.text}
              </button>
            ) : (
              words.text
            )}
            {asks !== '' && ` It ${asks}.`}
            {isPlanned && workMs !== null && <span className={styles.work}> About {spanWords(workMs)} of work.</span>}
          </span>
        </>
      )}
    </p>
  );
}
