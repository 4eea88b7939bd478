// Webhooks as the server uses them: finds the webhook of an address, and turns a delivery into a run.

import type { Catalog, CatalogEntry } from '../../catalog/catalog.ts';
import type { JsonObject } from '../../domain/job.ts';
import { webhookRefusal } from '../../domain/policy.ts';
import type { Principal } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { WebhookTerms } from '../../domain/trigger/webhook.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { createSha256 } from '../../lib/sha256.ts';
import type { Store } from '../../store/open.ts';
import type { Caller, CreateRun } from '../create.ts';
import type { Ends } from '../ends.ts';
import { asItStands } from '../once.ts';
import type { StoredSecrets } from '../secrets/stored-secrets.ts';
import { answerToTest, argumentsOf, type Delivery, deliveryIdOf, keysOf } from './delivery.ts';
import { verify } from './signature.ts';

export type Webhook = WebhookTerms & {
  readonly id: string;
  readonly name: string;
  readonly jobId: string;
  readonly tenant: string;
};

/** A request to a hook. */
type Incoming = Omit<Delivery, 'body'> & {
  /** Parses the body. Called once the proof is right. @throws Problem malformed-request, unsupported-media-type */
  readonly parse: () => Delivery['body'];
};

type HookAnswer = { readonly status: 200 | 202; readonly body: JsonObject };

export type Webhooks = {
  /** The webhook of `/hooks/{address}`. @throws Problem not-ready, webhook-not-found, source-untrusted */
  readonly find: (address: string) => Webhook;
  readonly principalOf: (webhook: Webhook) => Principal;
  /** @throws Problem signature-invalid, when the proof is wrong */
  readonly assertSigned: (webhook: Webhook, delivery: Omit<Delivery, 'body'>) => Promise<void>;
  /**
   * Starts a run for a delivery whose proof is right, unless it is a duplicate or `if` says no.
   * @throws Problem validation-error, and like createRun
   */
  readonly accept: (webhook: Webhook, incoming: Incoming, caller: Omit<Caller, 'trigger'>) => Promise<HookAnswer>;
};

type Parts = {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly secrets: Pick<StoredSecrets, 'valueOf'>;
  readonly createRun: CreateRun;
  readonly ends: Pick<Ends, 'wait'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly defaultTenant: string;
};

export function createWebhooks(o: Parts): Webhooks {
  return {
    find: (address) => find(address, o),
    principalOf: ({ name, tenant }) => ({ kind: 'webhook', name: `webhook:${name}`, scopes: ['runs:write'], tenant }),
    assertSigned: (webhook, delivery) => assertSigned(webhook, delivery, o),
    async accept(webhook, { parse, ...incoming }, caller) {
      const delivery: Delivery = { ...incoming, body: parse() };
      const test = answerToTest(webhook.scheme, delivery);
      if (test) return { status: 200, body: test };
      return start(webhook, delivery, caller, o);
    },
  };
}

function find(address: string, { catalog, defaultTenant: tenant }: Parts): Webhook {
  const [, jobId = '', name = ''] = /^(.+)\/([^/]+)$/s.exec(address) ?? [];
  const entry = jobId === '' ? undefined : entryOf(jobId, catalog);
  const terms = entry?.definition.webhooks.find((one) => one.name === name);
  if (!entry || !terms) throw new Problem('webhook-not-found', 'There is no webhook at this address.');
  const { definition: job, source } = entry;
  const refusal = webhookRefusal(job.id, source, terms.secrets);
  if (refusal) throw refusal;
  const hash = createSha256().update(`${job.id}\0${name}`).digest('hex');
  return { ...terms, id: `webhook_${hash.slice(0, 26).toUpperCase()}`, jobId: job.id, tenant };
}

/** A sender tries again after not-ready, and not after a 404. @throws Problem not-ready */
function entryOf(jobId: string, catalog: Catalog): CatalogEntry | undefined {
  try {
    return catalog.find(jobId);
  } catch (error) {
    if (error instanceof Problem && error.slug !== 'not-ready') return undefined;
    throw error;
  }
}

const refusals = {
  missing: 'has no signature in the header',
  wrong: 'is not signed with a key of this webhook, in the header',
  old: 'was signed more than five minutes before or after now, in the header',
};

async function assertSigned(webhook: Webhook, { read, raw }: Omit<Delivery, 'body'>, o: Parts): Promise<void> {
  const { scheme, header } = webhook;
  const keys = await keysFor(webhook, o);
  const verdict = verify(scheme, { header, read, body: raw, nowMs: o.clock.now() }, keys);
  if (verdict !== 'valid') throw new Problem('signature-invalid', `The delivery ${refusals[verdict]} '${header}'.`);
}

/** A missing key is no reason to refuse what another key has signed. */
async function keysFor({ secrets, tenant, jobId, name }: Webhook, o: Parts): Promise<string[]> {
  const keys: string[] = [];
  for (const secret of secrets) {
    try {
      keys.push(await o.secrets.valueOf(tenant, secret));
    } catch (error) {
      if (!(error instanceof Problem) || error.slug !== 'secret-unavailable') throw error;
      o.log.warn({ job_id: jobId, webhook: name }, `a webhook lacks a key: ${error.message}`);
    }
  }
  return keys;
}

async function start(
  webhook: Webhook,
  delivery: Delivery,
  caller: Omit<Caller, 'trigger'>,
  o: Parts,
): Promise<HookAnswer> {
  const { id, jobId, tenant, waitMs } = webhook;
  const { store, clock } = o;
  const keys = keysOf(webhook.scheme, delivery);
  const known = () =>
    store.webhooks.startedBy(
      id,
      keys.map(({ key }) => key),
      clock.now(),
    );
  const first = await known();
  if (first !== undefined) return duplicateOf(first);
  const { definition } = o.catalog.find(jobId);
  const args = argumentsOf(webhook, delivery, definition);
  if (args === undefined) return { status: 200, body: { skipped: true } };
  const by: Caller = { ...caller, trigger: 'webhook' };
  let isDuplicate = false;
  try {
    const { runId } = await o.createRun({ job_id: jobId, args, tenant }, by, undefined, async (tx, newId) => {
      const nowMs = clock.now();
      for (const key of keys) {
        if (await store.webhooks.addKey(tx, { webhookId: id, ...key, runId: newId, nowMs })) continue;
        isDuplicate = true;
        throw new Problem('idempotency-conflict', 'The delivery has started a run already.');
      }
    });
    const told = {
      webhook: webhook.name,
      job_id: jobId,
      run_id: runId,
      delivery: deliveryIdOf(webhook.scheme, delivery),
    };
    o.log.info(told, 'a webhook started a run');
    return waitMs === null ? { status: 202, body: { run_id: runId } } : await outcomeOf(runId, waitMs, o);
  } catch (error) {
    const other = isDuplicate ? await known() : undefined;
    if (other === undefined) throw error;
    return duplicateOf(other);
  }
}

function duplicateOf(runId: string): HookAnswer {
  return { status: 200, body: { run_id: runId, duplicate: true } };
}

/** What the sender may know of the run that it has started. */
async function outcomeOf(runId: string, waitMs: number, { ends, store }: Parts): Promise<HookAnswer> {
  await ends.wait(runId, waitMs);
  const { status: code, body } = await asItStands(store, runId);
  const { status, exit_code, result } = JSON.parse(body);
  return { status: code === 201 ? 200 : 202, body: { run_id: runId, status, exit_code, result } };
}
