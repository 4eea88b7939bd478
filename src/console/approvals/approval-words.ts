// Who asked, and who answered what, in words.

import { harmless } from '../words.ts';
import type { Approval } from './waiting-approvals.ts';

export function askerWords({ trigger, created_by: by }: Approval): string {
  return trigger.type === 'schedule' || trigger.type === 'backfill' ? `a ${trigger.type}` : harmless(by);
}

/** "approved by mara: “looks right”" */
export function answerWords({ answer }: Pick<Approval, 'answer'>): string {
  if (!answer) return 'nobody answered in time';
  const comment = answer.comment === null ? '' : `: “${harmless(answer.comment)}”`;
  return `${answer.decision === 'approve' ? 'approved' : 'denied'} by ${harmless(answer.by)}${comment}`;
}
