// Lists webhooks a page at a time: those of job files, and those made at run time.

import { type Reach, reaches } from '../../domain/principal.ts';
import type { MadeWebhook, WebhookPlace } from '../../domain/trigger/webhook.ts';
import { createYielder } from '../../lib/yielder.ts';
import type { TokenStore } from '../../store/tokens.ts';
import { ofMade, webhooksOfJobs, withPrincipal } from './find-webhook.ts';
import type { Webhook, WebhookParts } from './webhook-parts.ts';

export type WebhookQuery = {
  readonly tenant: string | undefined;
  readonly jobId: string | undefined;
  /** Only webhooks after this place. */
  readonly after: WebhookPlace | undefined;
  readonly offset: number;
  /** undefined for all webhooks. */
  readonly limit: number | undefined;
};

export type WebhookPage = {
  readonly webhooks: readonly Webhook[];
  /** How many there are on all pages. */
  readonly total: number;
  readonly hasMore: boolean;
};

type FindsTokens = Pick<TokenStore, 'find'>;
type Parts = Pick<WebhookParts, 'store' | 'catalog' | 'clock' | 'defaultTenant' | 'triggersPaused'>;

/** Sorted by job, name and id. @throws Problem not-ready */
export async function listWebhooks(reach: Reach, query: WebhookQuery, o: Parts): Promise<WebhookPage> {
  const { tenant, jobId, after, offset, limit } = query;
  const ofFiles = webhooksOfJobs(o).filter(
    (one) =>
      reaches(reach, one) &&
      (jobId === undefined || one.jobId === jobId) &&
      (tenant === undefined || one.tenant === tenant),
  );
  const made = await madePage(reach, query, o);
  const matching = [...ofFiles.filter((one) => !after || compare(one, after) > 0), ...made.webhooks]
    .toSorted(compare)
    .slice(offset);
  const page = matching.slice(0, limit);
  return {
    webhooks: await complete(page, o),
    total: ofFiles.length + made.total,
    hasMore: page.length < matching.length,
  };
}

async function madePage(reach: Reach, { tenant, jobId, after, offset, limit }: WebhookQuery, { store }: Parts) {
  const ofTenant = tenant ?? (reach.tenant === '*' ? undefined : reach.tenant);
  const { jobs } = reach;
  const wanted = jobId === undefined ? undefined : [jobId];
  const jobIds = jobs ? (wanted ?? (await store.webhooks.jobIds(ofTenant))).filter((id) => jobs.has(id)) : wanted;
  // One more is read, to know whether there is another page.
  const most = limit === undefined ? undefined : offset + limit + 1;
  return store.webhooks.page({ tenant: ofTenant, jobIds, after, limit: most });
}

/** Looks at each token once: many webhooks may be bound to the same one. */
async function complete(page: readonly (Webhook | MadeWebhook)[], o: Parts): Promise<Webhook[]> {
  const makers = { ...o, store: { tokens: rememberTokens(o.store.tokens) } };
  const maybeYield = createYielder();
  const webhooks: Webhook[] = [];
  for (const one of page) {
    const { webhook } = await withPrincipal('tokenHash' in one ? ofMade(one, o) : one, makers);
    webhooks.push(webhook);
    await maybeYield();
  }
  return webhooks;
}

function rememberTokens(tokens: FindsTokens): FindsTokens {
  const found = new Map<string, ReturnType<TokenStore['find']>>();
  return {
    find(id) {
      const token = found.get(id) ?? tokens.find(id);
      found.set(id, token);
      return token;
    },
  };
}

function compare(a: WebhookPlace, b: WebhookPlace): number {
  for (const part of ['jobId', 'name', 'id'] as const) {
    if (a[part] !== b[part]) return a[part] < b[part] ? -1 : 1;
  }
  return 0;
}
