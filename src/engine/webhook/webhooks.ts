// Webhooks as the server uses them: finds the webhook of an address, and turns a delivery into a run.

import type { Catalog, CatalogEntry } from '../../catalog/catalog.ts';
import type { JsonObject } from '../../domain/job.ts';
import { webhookRefusal } from '../../domain/policy.ts';
import { type Principal, type Reach, reaches } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { JobWebhook } from '../../domain/trigger/webhook.ts';
import { createSha256 } from '../../lib/sha256.ts';
import type { Caller } from '../create.ts';
import { asItStands, type Created } from '../once.ts';
import { answerToTest, argumentsOf, type Delivery, keysOf } from './delivery.ts';
import { createNote, type Note, replay } from './delivery-log.ts';
import { verify } from './signature.ts';
import type { Webhook, WebhookParts } from './webhook-parts.ts';
import { createWarnings, type Warn } from './webhook-warnings.ts';

/** A request to a hook. */
type Incoming = Omit<Delivery, 'body'> & {
  /** Parses the body. Called once the proof is right. @throws Problem malformed-request, unsupported-media-type */
  readonly parse: () => Delivery['body'];
};

type HookAnswer = { readonly status: 200 | 202; readonly body: JsonObject };

export type Webhooks = {
  /** The webhook of `/hooks/{address}`. @throws Problem not-ready, webhook-not-found */
  readonly find: (address: string) => Webhook;
  readonly principalOf: (webhook: Webhook) => Principal;
  /** @throws Problem signature-invalid, when the proof is wrong */
  readonly assertSigned: (webhook: Webhook, delivery: Omit<Delivery, 'body'>) => Promise<void>;
  /**
   * Starts a run for a delivery whose proof is right, unless it is a duplicate or `if` says no.
   * @throws Problem validation-error, and like createRun
   */
  readonly accept: (webhook: Webhook, incoming: Incoming, caller: Omit<Caller, 'trigger'>) => Promise<HookAnswer>;
  /** Sorted by job. @throws Problem not-ready */
  readonly list: (reach: Reach) => readonly Webhook[];
  /** @throws Problem not-ready, webhook-not-found */
  readonly get: (id: string, reach: Reach) => Webhook;
  /**
   * Starts a run with the arguments of an earlier delivery.
   * @throws Problem webhook-not-found, delivery-not-found, delivery-not-replayable, and like createRun
   */
  readonly replay: (
    id: string,
    deliveryId: string,
    caller: Caller,
    idempotencyKey: string | undefined,
  ) => Promise<Created>;
};

export function createWebhooks(o: WebhookParts): Webhooks {
  const warn = createWarnings(o.log);
  return {
    find: (address) => find(address, warn, o),
    principalOf: ({ name, tenant }) => ({ kind: 'webhook', name: `webhook:${name}`, scopes: ['runs:write'], tenant }),
    assertSigned: (webhook, delivery) => assertSigned(webhook, delivery, warn, o),
    accept: (webhook, incoming, caller) => accept(webhook, incoming, caller, o),
    list: (reach) => allOf(o).filter(({ tenant }) => reaches(reach, tenant)),
    get: (id, reach) => findById(id, reach, o),
    replay: (id, deliveryId, caller, key) => replay(findById(id, caller.principal, o), deliveryId, { caller, key }, o),
  };
}

async function accept(
  webhook: Webhook,
  { parse, ...incoming }: Incoming,
  caller: Omit<Caller, 'trigger'>,
  o: WebhookParts,
): Promise<HookAnswer> {
  const note = createNote(webhook, incoming.raw, o);
  try {
    const delivery: Delivery = { ...incoming, body: parse() };
    note.read(delivery);
    const test = answerToTest(webhook.scheme, delivery);
    if (!test) return await start(webhook, delivery, { caller, note }, o);
    await note.keep('tested');
    return { status: 200, body: test };
  } catch (error) {
    if (error instanceof Problem) await note.refused(error);
    throw error;
  }
}

function findById(id: string, reach: Reach, o: WebhookParts): Webhook {
  const found = allOf(o).find((webhook) => webhook.id === id && reaches(reach, webhook.tenant));
  if (found) return found;
  throw new Problem('webhook-not-found', `The webhook '${id}' does not exist.`);
}

/** Sorted by job. @throws Problem not-ready */
function allOf({ catalog, defaultTenant }: WebhookParts): Webhook[] {
  return catalog
    .entries()
    .flatMap((entry) => entry.definition.webhooks.map((one) => toWebhook(entry, one, defaultTenant)));
}

function toWebhook({ definition: { id: jobId }, source }: CatalogEntry, terms: JobWebhook, tenant: string): Webhook {
  const hash = createSha256().update(`${jobId}\0${terms.name}`).digest('hex');
  const denied = webhookRefusal(jobId, source, terms.secrets) ?? null;
  return { ...terms, id: `webhook_${hash.slice(0, 26).toUpperCase()}`, jobId, tenant, denied };
}

/** Anybody may ask, so a webhook that may not be used looks like one that does not exist. */
function find(address: string, warn: Warn, { catalog, defaultTenant: tenant }: WebhookParts): Webhook {
  const [, jobId = '', name = ''] = /^(.+)\/([^/]+)$/s.exec(address) ?? [];
  const entry = jobId === '' ? undefined : entryOf(jobId, catalog);
  const terms = entry?.definition.webhooks.find((one) => one.name === name);
  const webhook = entry && terms && toWebhook(entry, terms, tenant);
  if (webhook?.denied === null) return webhook;
  if (webhook?.denied) warn(webhook, webhook.denied.message);
  throw new Problem('webhook-not-found', 'There is no webhook at this address.');
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

async function assertSigned(
  webhook: Webhook,
  { read, raw }: Omit<Delivery, 'body'>,
  warn: Warn,
  o: WebhookParts,
): Promise<void> {
  const { scheme, header } = webhook;
  const keys = await keysFor(webhook, warn, o);
  const verdict = verify(scheme, { header, read, body: raw, nowMs: o.clock.now() }, keys);
  if (verdict !== 'valid') throw new Problem('signature-invalid', `The delivery ${refusals[verdict]} '${header}'.`);
}

/** A missing key is no reason to refuse what another key has signed. */
async function keysFor(webhook: Webhook, warn: Warn, { secrets }: WebhookParts): Promise<string[]> {
  const keys: string[] = [];
  const missing: string[] = [];
  for (const secret of webhook.secrets) {
    try {
      keys.push(await secrets.valueOf(webhook.tenant, secret));
    } catch (error) {
      if (!(error instanceof Problem) || error.slug !== 'secret-unavailable') throw error;
      missing.push(error.message);
    }
  }
  warn(webhook, missing.length > 0 ? `a webhook lacks a key: ${missing.join(' ')}` : undefined);
  return keys;
}

async function start(
  webhook: Webhook,
  delivery: Delivery,
  { caller, note }: { readonly caller: Omit<Caller, 'trigger'>; readonly note: Note },
  o: WebhookParts,
): Promise<HookAnswer> {
  const { id, jobId, tenant, waitMs } = webhook;
  const { store, clock } = o;
  const keys = keysOf(webhook.scheme, delivery);
  const names = keys.map(({ key }) => key);
  const known = () => store.webhooks.startedBy(id, names, clock.now());
  const first = await known();
  if (first !== undefined) return duplicateOf(first, webhook, o);
  const { definition } = o.catalog.find(jobId);
  const args = argumentsOf(webhook, delivery, definition);
  if (args === undefined) {
    await note.keep('skipped');
    return { status: 200, body: { skipped: true } };
  }
  note.mapped(args, definition);
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
      await note.started(tx, newId);
    });
    o.log.info({ webhook: webhook.name, job_id: jobId, run_id: runId }, 'a webhook started a run');
    return waitMs === null ? { status: 202, body: { run_id: runId } } : await outcomeOf(runId, waitMs, o);
  } catch (error) {
    const other = isDuplicate ? await known() : undefined;
    if (other === undefined) throw error;
    return duplicateOf(other, webhook, o);
  }
}

async function duplicateOf(runId: string, { id }: Webhook, { store }: WebhookParts): Promise<HookAnswer> {
  await store.db.transact((tx) => store.webhooks.addRepeat(tx, id, runId));
  return { status: 200, body: { run_id: runId, duplicate: true } };
}

/** What the sender may know of the run that it has started. */
async function outcomeOf(runId: string, waitMs: number, { ends, store }: WebhookParts): Promise<HookAnswer> {
  await ends.wait(runId, waitMs);
  const { status: code, body } = await asItStands(store, runId);
  const { status, exit_code, result } = JSON.parse(body);
  return { status: code === 201 ? 200 : 202, body: { run_id: runId, status, exit_code, result } };
}
