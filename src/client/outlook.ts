// Asks the server about arguments that are being filled in: their errors, or what a run would do.

import type { AnswerOf, BodyOf } from '../contract/operations.ts';
import { ApiProblem } from './api-problem.ts';
import type { Client } from './client.ts';
import { errorText, isPassing } from './error-words.ts';
import { grantText } from './grant-text.ts';

type JobStep = AnswerOf<'getJob'>['steps'][number];

export type Outlook =
  | { readonly kind: 'plan'; readonly plan: AnswerOf<'createPlan'> }
  | { readonly kind: 'errors'; readonly errors: readonly Readonly<Record<string, unknown>>[] }
  /** `isPassing`: another attempt may succeed. */
  | { readonly kind: 'none'; readonly why: string; readonly isPassing: boolean };

export async function askOutlook(client: Client, body: BodyOf<'createPlan'>, signal: AbortSignal): Promise<Outlook> {
  const toOutlook = (error: unknown): Outlook =>
    signal.aborted
      ? { kind: 'none', why: '', isPassing: false }
      : (errorsOf(error) ?? { kind: 'none', why: errorText(error), isPassing: isPassing(error) });
  return client.call('createPlan', { body, signal }).then((plan): Outlook => ({ kind: 'plan', plan }), toOutlook);
}

/** Returns null if the error is not about members of the request. */
export function errorsOf(error: unknown): Extract<Outlook, { kind: 'errors' }> | null {
  if (!(error instanceof ApiProblem) || !Array.isArray(error.members.errors)) return null;
  return { kind: 'errors', errors: error.members.errors };
}

export type OutlookWords = { readonly text: string; readonly tone: 'good' | 'wait' | 'bad' | 'open' };

export function outlookWords(outlook: Outlook | null, errorCount: number): OutlookWords {
  if (outlook?.kind === 'none') return { text: outlook.why, tone: 'bad' };
  if (errorCount > 0)
    return { text: errorCount === 1 ? '1 field needs attention' : `${errorCount} fields need attention`, tone: 'bad' };
  if (outlook?.kind !== 'plan') return { text: 'checking…', tone: 'open' };
  const { plan } = outlook;
  if (plan.denied) return { text: `Would be refused: ${plan.denied.detail}`, tone: 'bad' };
  if (plan.waiting !== null) return { text: `Would wait: ${plan.waiting}`, tone: 'wait' };
  const steps = plan.steps.length > 1 ? `, with ${plan.steps.length} steps` : '';
  const grants = plan.grants.length > 0 ? `; it may ${plan.grants.map(grantWords).join(', ')}` : '';
  return { text: `Starts at once, in the profile ${plan.security.profile}${steps}${grants}.`, tone: 'good' };
}

/**
 * For example "asks for an approval at ship". A step with a condition is listed as one that may ask, because the
 * condition is checked only when the step is due. Empty if the run asks for no approval.
 */
export function approvalWords(steps: readonly Pick<JobStep, 'step_id' | 'kind' | 'if'>[]): string {
  const asking = steps.filter(({ kind }) => kind === 'approval');
  const sure = asking.filter((step) => step.if === null).map(({ step_id: id }) => id);
  const parts = asking.flatMap(({ step_id: id, if: condition }) =>
    condition === null ? [] : [`may ask for an approval at ${id}, if ${condition}`],
  );
  return [...(sure.length > 0 ? [`asks for an approval at ${sure.join(', ')}`] : []), ...parts].join('; it ');
}

/** Says how many required values are missing in a form in which the user has not entered anything yet. */
export function missingWords(count: number): string {
  return count === 1 ? '1 required value is missing.' : `${count} required values are missing.`;
}

function grantWords(grant: AnswerOf<'createPlan'>['grants'][number]): string {
  return grant.kind === 'network' ? 'use the network' : grantText(grant);
}
