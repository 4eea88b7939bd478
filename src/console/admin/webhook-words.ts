// What the page of the doctor says about a webhook.

import type { AnswerOf } from '../../contract/operations.ts';
import { notesOf, reasonOf, type WebhookNote } from '../../domain/trigger/webhook-notes.ts';

export type Webhook = AnswerOf<'listWebhooks'>['webhooks'][number];

/** Deliveries that were refused longer ago are over. */
const seenWithinMs = 86_400_000;

/** What asks for attention: what `flwd doctor` says, and a refusal of the last delivery. */
export function webhookNotes(webhook: Webhook, nowMs: number): readonly WebhookNote[] {
  const { id, last_delivery: last } = webhook;
  const notes = notesOf(webhook);
  if (last?.result !== 'refused' || Date.parse(last.at) < nowMs - seenWithinMs) return notes;
  return [...notes, { detail: `refused the last delivery: ${reasonOf(last)}`, fix: `flwd webhooks deliveries ${id}` }];
}
