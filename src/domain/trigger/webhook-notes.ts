// Says why a webhook starts no runs, and what to do about it. `flwd doctor`, `flwd webhooks` and the console show these
// texts.

import { isTriggersPaused } from './paused.ts';
import { takenWithout } from './webhook.ts';

/** A webhook as the API returns it. */
type Webhook = {
  readonly id: string;
  readonly tenant: string;
  readonly source: 'job' | 'api';
  readonly secrets: readonly string[];
  readonly missing_secrets: readonly string[];
  readonly denied: { readonly type: string; readonly detail: string } | null;
};

type Delivery = { readonly problem: string | null; readonly detail: string | null };

/** `detail` continues a sentence that begins with the name of the webhook. */
export type WebhookNote = { readonly detail: string; readonly fix: string };

/**
 * Returns what is wrong with the webhook. Ignores a pause of all webhooks, because no change to this webhook would end
 * the pause.
 */
export function notesOf(webhook: Webhook): WebhookNote[] {
  const { id, denied, secrets, missing_secrets: missing } = webhook;
  if (denied && !isTriggersPaused(denied)) {
    return [{ detail: `takes no deliveries: ${denied.detail}`, fix: fixOf(denied.type, id) }];
  }
  const taken = takenWithout(missing, secrets);
  return missing.map((secret) => ({
    detail: `lacks the secret ${secret}${taken === undefined ? '' : `, and ${taken}`}`,
    fix: storingCommand(secret, webhook),
  }));
}

// Compares only the end of the type. The full types are in the table of problems, and importing this table would make
// the console's first load larger.
function fixOf(type: string, id: string): string {
  if (type.endsWith('/job-invalid')) return 'run flwd jobs, which shows the errors of the job';
  if (type.endsWith('/source-untrusted')) return 'change what flwd.yaml allows the source';
  if (type.endsWith('/permission-denied')) {
    return `flwd webhooks rm ${id}, and add the webhook again with another token`;
  }
  return `bring the job back, or remove the webhook: flwd webhooks rm ${id}`;
}

/** What needs secrets. A schedule, trigger or webhook of a job file belongs to the default tenant. */
type Needing = { readonly source: 'job' } | { readonly source: Webhook['source']; readonly tenant: string };

/** Returns the command that stores the secret. */
export function storingCommand(secret: string, by: Needing): string {
  return `flwd secrets set ${secret}${by.source === 'api' ? ` --tenant ${by.tenant}` : ''}`;
}

/** Names the missing secrets, and the commands that store them. Empty if no secret is missing. */
export function lacksWords(missing: readonly string[], by: Needing): string {
  return missing.map((secret) => `lacks the secret ${secret}: ${storingCommand(secret, by)}`).join('; ');
}

/**
 * Says why the webhook takes no deliveries, or why the last delivery started no run. Empty if nothing is known to be
 * wrong.
 */
export function whyOf(webhook: Webhook & { readonly last_delivery: Delivery | null }): string {
  const { denied, last_delivery: last } = webhook;
  return denied?.detail ?? (lackOf(webhook) || (last ? reasonOf(last) : ''));
}

/** Names the secrets that the webhook lacks, and the commands that store them. Empty if it has all of them. */
export function lackOf(webhook: Webhook): string {
  const { secrets, missing_secrets: missing } = webhook;
  const taken = missing.length > 0 ? takenWithout(missing, secrets) : undefined;
  const lacks = lacksWords(missing, webhook);
  return taken === undefined ? lacks : `${lacks}; ${taken}`;
}

/** Says why a delivery started no run. Empty if it started one. */
export function reasonOf({ detail, problem }: Delivery): string {
  return detail ?? problem ?? '';
}
