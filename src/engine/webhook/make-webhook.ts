// Makes and removes webhooks at run time (ADR 0074).

import { randomBytes } from 'node:crypto';
import { toPointer } from '../../catalog/arguments/schema-errors.ts';
import { findReached } from '../../catalog/catalog.ts';
import { checkTerms, type RawTerms, toTerms } from '../../catalog/job/webhook-rules.ts';
import { createErrorList } from '../../domain/error-list.ts';
import type { JobDefinition } from '../../domain/job.ts';
import { webhookRefusal } from '../../domain/policy.ts';
import { bindingOf, type Principal, tenantFor } from '../../domain/principal.ts';
import { Problem, validationError } from '../../domain/problem.ts';
import { formatHookToken } from '../../domain/trigger/hook-token.ts';
import type { MadeWebhook } from '../../domain/trigger/webhook.ts';
import { createId } from '../../lib/ids.ts';
import { hashSecret } from '../../lib/secret-hash.ts';
import { parseDuration } from '../../lib/units.ts';
import type { RecordChange } from '../../store/audit/audit.ts';
import { namingRefusal } from '../plan/secret-references.ts';
import { ofMade } from './find-webhook.ts';
import type { Webhook, WebhookParts } from './webhook-parts.ts';

/** The body of POST /webhooks. */
export type WebhookRequest = Omit<RawTerms, 'scheme'> & {
  readonly job_id: string;
  readonly scheme?: RawTerms['scheme'];
  readonly name?: string;
  readonly per_minute?: number;
  readonly tenant?: string;
};

/** `token` is shown once. */
export type MadeWithToken = { readonly webhook: Webhook; readonly token: string };

type Parts = WebhookParts & { readonly record: RecordChange };

const mostOfTenant = 1_000;
const tokenBytes = 32;
const longestTermsChars = 65_536;
/** The limit of a webhook without a scheme. It is low, because everyone who has read the address can call it. */
const usualPerMinute = 10;

export async function makeWebhook(request: WebhookRequest, by: Principal, o: Parts): Promise<MadeWithToken> {
  const { store, clock } = o;
  const { definition: job, source } = findReached(request.job_id, by, o.catalog);
  const tenant = tenantFor(by, request.tenant, o.defaultTenant);
  const { scheme = 'token' } = request;
  const terms = toTerms({ ...request, scheme });
  const refusal = webhookRefusal(job.id, source, terms.secrets);
  if (refusal) throw refusal;
  const unnamed = namingRefusal(terms.secrets, by);
  if (unnamed) throw unnamed;
  await assertSound({ ...request, scheme }, { job, tenant }, o);
  const nowMs = clock.now();
  const id = createId('webhook', nowMs);
  const name = request.name ?? `hook-${id.slice(-8).toLowerCase()}`;
  const token = formatHookToken(randomBytes(tokenBytes).toString('base64url'));
  const made: MadeWebhook = {
    ...terms,
    id,
    name,
    jobId: job.id,
    tenant,
    tokenHash: hashSecret(token),
    perMinute: request.per_minute ?? (scheme === 'token' ? usualPerMinute : null),
    createdAtMs: nowMs,
    createdBy: by.name,
    boundTo: bindingOf(by),
  };
  const isOfFile = tenant === o.defaultTenant && job.webhooks.some((one) => one.name === name);
  const isAdded =
    !isOfFile &&
    (await store.db.transact(async (tx) => {
      if (!(await store.webhooks.add(tx, made))) return false;
      o.record(tx, made);
      return true;
    }));
  if (!isAdded)
    throw wrong('/name', `'${name}' is already the name of a webhook of '${job.id}': choose another one`, 'unique');
  return { webhook: ofMade(made, o), token };
}

export async function removeWebhook(
  { id, jobId, name, made, tenant }: Webhook,
  { store, record }: Parts,
): Promise<void> {
  if (!made) {
    throw new Problem(
      'source-managed',
      `The webhook '${jobId}/${name}' is defined in the config.yaml of '${jobId}': change it there.`,
    );
  }
  await store.db.transact(async (tx) => {
    await store.webhooks.remove(tx, id);
    record(tx, { id, tenant });
  });
}

/** @throws Problem validation-error */
async function assertSound(
  request: RawTerms,
  { job, tenant }: { readonly job: JobDefinition; readonly tenant: string },
  o: Parts,
): Promise<void> {
  const errors = createErrorList();
  const { scheme, secret, wait } = request;
  const secrets = [secret ?? []].flat();
  if (scheme === 'token' && secrets.length > 0)
    errors.add({ pointer: '/secret', message: 'needs a `scheme` by which a sender signs', keyword: 'scheme' });
  if (scheme !== 'token' && secrets.length === 0) {
    const message = `is missing: name the stored secret with which the sender signs, for the scheme \`${scheme}\``;
    errors.add({ pointer: '/secret', message, keyword: 'required' });
  }
  if (wait !== undefined && !parseDuration(wait))
    errors.add({ pointer: '/wait', message: 'must be a duration above zero such as `8s`', keyword: 'format' });
  for (const { path, keyword, message } of checkTerms(request, job))
    errors.add({ pointer: toPointer(path), keyword, message });
  if (errors.size === 0) {
    for (const name of secrets) if (!(await isStored(name, tenant, o))) errors.add(missingSecret(name, tenant));
  }
  if (errors.size > 0) throw validationError(errors.errors(), errors.size);
  if (JSON.stringify(toTerms(request)).length > longestTermsChars)
    throw wrong('', 'the expressions of a webhook may have at most 64 KiB', 'maxLength');
  if ((await o.store.webhooks.countOf(tenant)) >= mostOfTenant) {
    const message = `the tenant '${tenant}' has ${mostOfTenant} webhooks, the most allowed; remove one first`;
    throw wrong('', message, 'maxItems');
  }
}

/** A webhook whose secret is not stored would refuse everything, and only the server's log would say so. */
async function isStored(name: string, tenant: string, { secrets }: Parts): Promise<boolean> {
  try {
    await secrets.valueOf(tenant, name);
    return true;
  } catch (error) {
    if (error instanceof Problem && error.slug === 'secret-unavailable') return false;
    throw error;
  }
}

function missingSecret(name: string, tenant: string) {
  const message = `names a secret that is not stored in the tenant '${tenant}': flwd secrets set ${name}`;
  return { pointer: '/secret', message, keyword: 'secret' };
}

function wrong(pointer: string, message: string, keyword: string): Problem {
  return validationError([{ pointer, message, keyword }]);
}
