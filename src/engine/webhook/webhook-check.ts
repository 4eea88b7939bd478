// The line of `flwd doctor` about webhooks: those that cannot start runs, and those that refused deliveries.

import { type Complaint, complain, type HostCheck, ok } from '../../domain/host-check.ts';
import { problemType } from '../../domain/problem.ts';
import { notesOf } from '../../domain/trigger/webhook-notes.ts';
import type { StoredWebhooks } from '../../store/sqlite/offline.ts';
import type { Webhook } from './webhook-parts.ts';

const name = 'webhooks';

/** Returns an empty list if there are no webhooks. `stored` counts the deliveries that were refused in the last day. */
export function checkWebhooks(webhooks: readonly Webhook[], stored: StoredWebhooks): HostCheck[] {
  if (webhooks.length === 0) return [];
  const complaints = webhooks.flatMap((webhook) => complaintsAbout(webhook, stored));
  if (complaints.length === 0) return [ok(name, `${webhooks.length}, and no delivery was refused in the last day`)];
  return complain(name, complaints);
}

function complaintsAbout(webhook: Webhook, stored: StoredWebhooks): Complaint[] {
  const { id, jobId, name: own, tenant, secrets, denied, made } = webhook;
  const named = `${jobId}/${own}`;
  const missing = secrets.filter((secret) => !stored.secrets.has(`${tenant} ${secret}`));
  const notes = notesOf({
    id,
    tenant,
    source: made ? 'api' : 'job',
    secrets,
    missing_secrets: missing,
    denied: denied && { type: problemType(denied.slug), detail: denied.message },
  }).map(({ detail, fix }) => ({ what: `${named} ${detail}`, fix }));
  if (denied) return notes;
  // A webhook without its secret cannot tell a forged delivery from a true one.
  const forged = missing.length > 0 ? 0 : (stored.forged.get(id) ?? 0);
  // The list of deliveries has those that the webhook refused for another reason. The audit log has the forged ones.
  const refused = stored.refused.get(id) ?? 0;
  if (forged + refused === 0) return notes;
  const what = `${named} refused deliveries in the last day: ${forged + refused}`;
  const listed = `flwd webhooks deliveries ${id}`;
  if (forged === 0) return [...notes, { what, fix: listed }];
  const fix = `compare the secret of the sender; flwd audit --object ${id} shows who sent them`;
  return [
    ...notes,
    {
      what: `${what}, with a wrong signature: ${forged}`,
      fix: refused === 0 ? fix : `${fix}; ${listed} lists the others`,
    },
  ];
}
