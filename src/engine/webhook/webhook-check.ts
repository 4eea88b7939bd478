// The line of `flwd doctor` about webhooks: those that cannot start runs, and those that refused deliveries.

import { type Complaint, complain, type HostCheck, ok } from '../../domain/host-check.ts';
import { takenWithout } from '../../domain/trigger/webhook.ts';
import type { StoredWebhooks } from '../../store/sqlite/offline.ts';
import type { Webhook } from './webhook-parts.ts';

const name = 'webhooks';

/** Empty if there are no webhooks. `stored` counts the deliveries that were refused in the last day. */
export function checkWebhooks(webhooks: readonly Webhook[], stored: StoredWebhooks): HostCheck[] {
  if (webhooks.length === 0) return [];
  const complaints = webhooks.flatMap((webhook) => complaintsAbout(webhook, stored));
  if (complaints.length === 0) return [ok(name, `${webhooks.length}, and no delivery was refused in the last day`)];
  return complain(name, complaints);
}

function complaintsAbout(
  { id, jobId, name: own, tenant, secrets, denied }: Webhook,
  stored: StoredWebhooks,
): Complaint[] {
  const webhook = `${jobId}/${own}`;
  if (denied) return [{ what: `${webhook} takes no deliveries: ${denied.message}`, cure: cureOf(denied.slug, id) }];
  const missing = secrets.filter((secret) => !stored.secrets.has(`${tenant} ${secret}`));
  const taken = takenWithout(missing, secrets);
  const but = taken === undefined ? '' : `, and ${taken}`;
  const refused = stored.refused.get(id) ?? 0;
  const forged = stored.forged.get(id) ?? 0;
  return [
    ...missing.map((secret) => ({
      what: `${webhook} lacks the secret ${secret}${but}`,
      cure: `flwd secrets set ${secret} --tenant ${tenant}`,
    })),
    // Without its secret, a webhook cannot tell.
    ...(forged === 0 || missing.length > 0
      ? []
      : [
          {
            what: `${webhook} refused deliveries with a wrong signature in the last day: ${forged}`,
            cure: `compare the secret of the sender; flwd audit --object ${id} shows who sent them`,
          },
        ]),
    ...(refused === 0
      ? []
      : [
          {
            what: `${webhook} refused deliveries in the last day: ${refused}`,
            cure: `flwd webhooks deliveries ${webhook}`,
          },
        ]),
  ];
}

function cureOf(slug: string, id: string): string {
  if (slug === 'job-invalid') return 'flwd jobs validate shows the errors of the job';
  if (slug === 'source-untrusted') return 'change what flwd.yaml allows the source';
  if (slug === 'permission-denied') return `flwd webhooks rm ${id}, and add the webhook again with another token`;
  return `bring the job back, or remove the webhook: flwd webhooks rm ${id}`;
}
