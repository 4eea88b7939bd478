// What the page of the doctor says about a webhook.

import type { AnswerOf } from '../../contract/operations.ts';
import { notesOf, reasonOf, type WebhookNote } from '../../domain/trigger/webhook-notes.ts';

export type Webhook = AnswerOf<'listWebhooks'>['webhooks'][number];

/** A refusal that is older than this is not mentioned. */
const seenWithinMs = 86_400_000;

/** Returns what `flwd doctor` says about the webhook, and whether the last delivery was refused. */
export function webhookNotes(webhook: Webhook, nowMs: number): readonly WebhookNote[] {
  const { id, last_delivery: last } = webhook;
  const notes = notesOf(webhook);
  if (last?.result !== 'refused' || Date.parse(last.at) < nowMs - seenWithinMs) return notes;
  return [...notes, { detail: `refused the last delivery: ${reasonOf(last)}`, fix: `flwd webhooks deliveries ${id}` }];
}
