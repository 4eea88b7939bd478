// The question that is asked before a step is approved or denied: which step, and with which comment.

import type { BodyOf } from '../../contract/operations.ts';
import { stepLabel } from '../../domain/outcome/step-label.ts';
import { characters } from '../characters.ts';
import type { Press } from '../presses.ts';
import { editText, emptyText, type TextEdit } from '../text-edit.ts';
import { moved } from '../windowed.ts';
import type { StepAnswer } from './run-parts.ts';

export type Approval = {
  readonly decision: 'approve' | 'deny';
  readonly stepId: string;
  /** The comment; null if the user is not typing one. */
  readonly comment: TextEdit | null;
};

/** Handles a press. Returns null if the user has answered no. */
export function changedApproval(
  asked: Approval,
  press: Press,
  waiting: readonly StepAnswer[],
): Approval | 'decided' | null {
  const { key } = press;
  if (asked.comment) {
    if (key === 'enter') return 'decided';
    return key === 'esc' ? null : { ...asked, comment: editText(asked.comment, press) ?? asked.comment };
  }
  if (key === 'y') return 'decided';
  if (key === 'n' || key === 'esc') return null;
  if (key === 'c') return { ...asked, comment: emptyText };
  const at = waiting.findIndex(({ step_id: id }) => id === asked.stepId);
  const to = key === 'up' || key === 'down' ? moved(at, key, waiting.length, 1) : null;
  // A key that is no answer leaves the question open.
  return to === null ? asked : { ...asked, stepId: waiting[to]?.step_id ?? asked.stepId };
}

export function toDecision({ decision, stepId, comment }: Approval): BodyOf<'approveRun'> {
  return { step_id: stepId, decision, ...(comment?.text && { comment: comment.text }) };
}

/** The question for the footer. A long message is cut, so that the keys are always visible. */
export function approvalWords(asked: Approval, waiting: readonly StepAnswer[], columns: number): string {
  const step = waiting.find(({ step_id: id }) => id === asked.stepId);
  const label = step ? stepLabel(step) : asked.stepId;
  const about = step?.message ? `${label}: ${step.message}` : label;
  const others = waiting.length > 1 ? '  ↑↓: other' : '';
  const keys = asked.comment ? `  Enter: ${asked.decision}  Esc: cancel` : `  y: yes  n: no  c: comment${others}`;
  const question = characters(`${asked.decision === 'approve' ? 'Approve' : 'Deny'} ${about}`);
  const room = columns - keys.length;
  return `${question.length > room ? `${question.slice(0, room - 1).join('')}…` : question.join('')}${keys}`;
}
