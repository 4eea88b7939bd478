// Finds webhooks: those of job files in the catalog, and those made at run time in the database.

import type { CatalogEntry } from '../../catalog/catalog.ts';
import { webhookRefusal } from '../../domain/policy.ts';
import { type Principal, type Reach, reaches } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import { isHookToken } from '../../domain/trigger/hook-token.ts';
import { triggersPausedProblem } from '../../domain/trigger/paused.ts';
import type { JobWebhook, MadeWebhook } from '../../domain/trigger/webhook.ts';
import { hashSecret } from '../../lib/secret-hash.ts';
import { createSha256 } from '../../lib/sha256.ts';
import type { WebhookStore } from '../../store/webhooks.ts';
import { limitsOf } from '../bindings.ts';
import type { Webhook, WebhookParts } from './webhook-parts.ts';
import type { Warn } from './webhook-warnings.ts';

type InCatalog = Pick<WebhookParts, 'catalog' | 'defaultTenant'>;
type Parts = InCatalog & {
  readonly store: { readonly webhooks: Pick<WebhookStore, 'find' | 'findByToken'> };
};

type Makers = Parameters<typeof limitsOf>[1] & Pick<WebhookParts, 'triggersPaused'>;

/** A webhook that takes deliveries, and the principal of its runs. */
export type OpenWebhook = { readonly webhook: Webhook; readonly principal: Principal };
export type DeniedWebhook = { readonly webhook: Webhook & { readonly denied: Problem }; readonly principal: null };

/** @throws Problem not-ready */
export function webhooksOfJobs({ catalog, defaultTenant }: InCatalog): Webhook[] {
  return catalog.entries().flatMap((entry) => entry.definition.webhooks.map((one) => ofJob(entry, one, defaultTenant)));
}

/** @throws Problem not-ready, webhook-not-found */
export async function findById(id: string, reach: Reach, o: Parts): Promise<Webhook> {
  const made = await o.store.webhooks.find(id);
  const found = made ? ofMade(made, o) : webhooksOfJobs(o).find((webhook) => webhook.id === id);
  if (found && reaches(reach, found)) return found;
  throw new Problem('webhook-not-found', `The webhook '${id}' does not exist.`);
}

/**
 * The webhook of `/hooks/{address}`. Anybody may ask, so a webhook that may not be used looks like one that does not
 * exist, unless all webhooks are paused.
 * @throws Problem not-ready, webhook-not-found
 */
export async function findByAddress(address: string, warn: Warn, o: Parts & Makers): Promise<OpenWebhook> {
  const found = address.includes('/') ? findOfJob(address, o) : await findOfToken(address, o);
  if (found && !found.denied && o.triggersPaused) throw triggersPausedProblem();
  const seen = found && (await withPrincipal(found, o));
  if (seen?.principal) return seen;
  if (seen?.webhook.denied) warn(seen.webhook, `a webhook takes no deliveries: ${seen.webhook.denied.message}`);
  throw noWebhook();
}

export function noWebhook(): Problem {
  return new Problem('webhook-not-found', 'There is no webhook at this address.');
}

function findOfJob(address: string, o: InCatalog): Webhook | undefined {
  const [, jobId = '', name = ''] = /^(.+)\/([^/]+)$/s.exec(address) ?? [];
  const entry = jobId === '' ? undefined : entryOf(jobId, o);
  if (!entry || entry instanceof Problem) return undefined;
  const terms = entry.definition.webhooks.find((one) => one.name === name);
  return terms && ofJob(entry, terms, o.defaultTenant);
}

async function findOfToken(token: string, o: Parts): Promise<Webhook | undefined> {
  const made = isHookToken(token) ? await o.store.webhooks.findByToken(hashSecret(token)) : undefined;
  return made && ofMade(made, o);
}

function ofJob({ definition: { id: jobId }, source }: CatalogEntry, terms: JobWebhook, tenant: string): Webhook {
  const hash = createSha256().update(`${jobId}\0${terms.name}`).digest('hex');
  const denied = webhookRefusal(jobId, source, terms.secrets) ?? null;
  const id = `webhook_${hash.slice(0, 26).toUpperCase()}`;
  return { ...terms, id, jobId, tenant, denied, perMinute: null, made: null };
}

/** While its job no longer exists or is invalid, the webhook stays but takes no deliveries. */
export function ofMade(made: MadeWebhook, o: InCatalog): Webhook {
  const entry = entryOf(made.jobId, o);
  const denied =
    entry instanceof Problem ? entry : (webhookRefusal(entry.definition.id, entry.source, made.secrets) ?? null);
  return { ...made, denied, made };
}

/**
 * Adds the principal of the webhook's runs. The webhook is denied if all webhooks are paused, or if the token that made
 * it is no longer valid (ADR 0067, ADR 0078).
 */
export async function withPrincipal(webhook: Webhook, o: Makers): Promise<OpenWebhook | DeniedWebhook> {
  const { name, tenant, made } = webhook;
  const denied = webhook.denied ?? (o.triggersPaused ? triggersPausedProblem() : null);
  if (denied) return { webhook: { ...webhook, denied }, principal: null };
  try {
    const limits = await limitsOf(made?.boundTo ?? null, o);
    const principal = { kind: 'webhook', name: `webhook:${name}`, scopes: ['runs:write'], tenant, ...limits } as const;
    return { webhook, principal };
  } catch (error) {
    if (error instanceof Problem) return { webhook: { ...webhook, denied: error }, principal: null };
    throw error;
  }
}

/**
 * Returns the job, or the problem with it. Only not-ready is thrown, because a sender tries again after not-ready, but
 * not after a 404.
 * @throws Problem not-ready
 */
function entryOf(jobId: string, { catalog }: InCatalog): CatalogEntry | Problem {
  try {
    return catalog.find(jobId);
  } catch (error) {
    if (error instanceof Problem && error.slug !== 'not-ready') return error;
    throw error;
  }
}
