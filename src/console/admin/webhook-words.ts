// What keeps a webhook from starting runs, in the words of `flwd doctor` and `flwd webhooks`.

import type { AnswerOf } from '../../contract/operations.ts';
import { triggersPausedWords } from '../../domain/trigger/paused.ts';
import { takenWithout } from '../../domain/trigger/webhook.ts';

export type Webhook = AnswerOf<'listWebhooks'>['webhooks'][number];

/** Deliveries that were refused longer ago are over. */
const seenWithinMs = 86_400_000;

/** What asks for attention, and what to do about it; `detail` goes on from the name of the webhook. */
export function webhookNotes(webhook: Webhook, nowMs: number): { readonly detail: string; readonly cure: string }[] {
  const { id, job_id: jobId, name, tenant, denied, missing_secrets: missing, last_delivery: last } = webhook;
  if (denied) {
    // That all of them are paused is a check of its own.
    if (denied.detail.startsWith(triggersPausedWords)) return [];
    return [{ detail: `takes no deliveries: ${denied.detail}`, cure: cureOf(denied.type, id) }];
  }
  const but = takenWords(webhook);
  const notes = missing.map((secret) => ({
    detail: `lacks the secret ${secret}${but === '' ? '' : `, and ${but}`}`,
    cure: `\`flwd secrets set ${secret} --tenant ${tenant}\``,
  }));
  if (last?.result !== 'refused' || Date.parse(last.at) < nowMs - seenWithinMs) return notes;
  const detail = `refused the last delivery: ${reasonOf(last)}`;
  return [...notes, { detail, cure: `\`flwd webhooks deliveries ${jobId}/${name}\`` }];
}

function cureOf(type: string, id: string): string {
  if (type.endsWith('/job-invalid')) return '`flwd jobs validate` shows the errors of the job';
  if (type.endsWith('/source-untrusted')) return 'change what flwd.yaml allows the source';
  if (type.endsWith('/permission-denied')) {
    return `\`flwd webhooks rm ${id}\`, and add the webhook again with another token`;
  }
  return `bring the job back, or remove the webhook: \`flwd webhooks rm ${id}\``;
}

/** Why it takes no deliveries, or started no run for the last one; empty if nothing is known to be wrong. */
export function whyOf(webhook: Webhook): string {
  const { denied, missing_secrets: missing, last_delivery: last } = webhook;
  if (denied) return denied.detail;
  const lacks = [...missing.map((secret) => `lacks the secret ${secret}`), takenWords(webhook)].filter(Boolean);
  return lacks.length > 0 ? lacks.join('; ') : last === null ? '' : reasonOf(last);
}

function takenWords({ missing_secrets: missing, secrets }: Webhook): string {
  return missing.length === 0 ? '' : (takenWithout(missing, secrets) ?? '');
}

/** Why it started no run; empty if it did. */
function reasonOf({ detail, problem }: NonNullable<Webhook['last_delivery']>): string {
  return detail ?? problem ?? '';
}
