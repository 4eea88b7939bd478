// Webhooks as the server uses them: finds the webhook of an address, and turns a delivery into a run.

import type { JsonObject } from '../../domain/job.ts';
import type { Principal, Reach } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { RecordChange } from '../../store/audit/audit.ts';
import type { Caller } from '../create.ts';
import { asItStands, type Created } from '../once.ts';
import { answerToTest, argumentsOf, type Delivery, keysOf } from './delivery.ts';
import { createNote, type Note, replay } from './delivery-log.ts';
import { findByAddress, findById, noWebhook, type OpenWebhook, withPrincipal } from './find-webhook.ts';
import { listWebhooks, type WebhookPage, type WebhookQuery } from './list-webhooks.ts';
import { type MadeWithToken, makeWebhook, removeWebhook, type WebhookRequest } from './make-webhook.ts';
import { verify } from './signature.ts';
import { type TestDelivery, testDelivery, type WebhookTest } from './test-delivery.ts';
import type { Webhook, WebhookParts } from './webhook-parts.ts';
import { createWarnings, type Warn } from './webhook-warnings.ts';

/** A request to a hook. */
type Incoming = Omit<Delivery, 'body'> & {
  /** Parses the body. Called once the proof is right. @throws Problem malformed-request, unsupported-media-type */
  readonly parse: () => Delivery['body'];
};

type HookAnswer = { readonly status: 200 | 202; readonly body: JsonObject };

export type Webhooks = ReturnType<typeof createWebhooks>;

export function createWebhooks(o: WebhookParts) {
  const warn = createWarnings(o.log);
  const warnForged = createWarnings(o.log);
  return {
    /** The webhook of `/hooks/{address}`. @throws Problem not-ready, webhook-not-found */
    find: (address: string): Promise<OpenWebhook> => findByAddress(address, warn, o),
    /** @throws Problem signature-invalid, when the proof is wrong */
    assertSigned: (webhook: Webhook, delivery: Omit<Delivery, 'body'>): Promise<void> =>
      assertSigned(webhook, delivery, { warn, warnForged }, o),
    /**
     * Starts a run for a delivery whose proof is right, unless it is a duplicate or `if` says no.
     * @throws Problem validation-error, and what createRun throws
     */
    accept: (webhook: Webhook, incoming: Incoming, caller: Omit<Caller, 'trigger'>): Promise<HookAnswer> =>
      accept(webhook, incoming, caller, o),
    /** @throws Problem not-ready */
    list: (reach: Reach, query: WebhookQuery): Promise<WebhookPage> => listWebhooks(reach, query, o),
    /** @throws Problem not-ready, webhook-not-found */
    get: async (id: string, reach: Reach): Promise<Webhook> =>
      (await withPrincipal(await findById(id, reach, o), o)).webhook,
    /**
     * Makes a webhook whose address has a token.
     * @throws Problem not-ready, permission-denied, job-not-found, job-invalid, source-untrusted, validation-error
     */
    create: (request: WebhookRequest, by: Principal, record: RecordChange): Promise<MadeWithToken> =>
      makeWebhook(request, by, { ...o, record }),
    /** Once this resolves, the webhook starts no runs. @throws Problem not-ready, webhook-not-found, source-managed */
    remove: async (id: string, reach: Reach, record: RecordChange): Promise<void> =>
      removeWebhook(await findById(id, reach, o), { ...o, record }),
    /** Says what a delivery would do, and starts nothing. @throws Problem not-ready, webhook-not-found */
    test: async (id: string, delivery: TestDelivery, reach: Reach): Promise<WebhookTest> =>
      testDelivery(await withPrincipal(await findById(id, reach, o), o), delivery, o),
    /**
     * Starts a run with the arguments of an earlier delivery.
     * @throws Problem webhook-not-found, delivery-not-found, delivery-not-replayable, and what createRun throws
     */
    replay: async (id: string, deliveryId: string, caller: Caller, key: string | undefined): Promise<Created> =>
      replay(await findById(id, caller.principal, o), deliveryId, { caller, key }, o),
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
    await note.record('tested');
    return { status: 200, body: test };
  } catch (error) {
    if (error instanceof Problem) await note.refused(error);
    throw error;
  }
}

const refusals = {
  missing: (header: string) => `The delivery has no signature in the header '${header}'.`,
  wrong: (header: string) => `No key of this webhook made the signature in the header '${header}'.`,
  old: (header: string) =>
    `The signature in the header '${header}' is for a time more than five minutes before or after now.`,
};

const forged =
  'a webhook refused a delivery, because its signature is missing, wrong or too old: compare the secret of the sender';

async function assertSigned(
  webhook: Webhook,
  { read, raw }: Omit<Delivery, 'body'>,
  { warn, warnForged }: { readonly warn: Warn; readonly warnForged: Warn },
  o: WebhookParts,
): Promise<void> {
  const { scheme, header } = webhook;
  // With this scheme, the secret address alone proves that the caller may call the webhook.
  if (scheme === 'token' || header === null) return;
  const keys = await keysFor(webhook, warn, o);
  const verdict = verify(scheme, { header, read, body: raw, nowMs: o.clock.now() }, keys);
  // `keysFor` has already warned of missing keys. This text is always the same, and a repeated text is not logged, so
  // nobody can fill the log.
  if (keys.length > 0) warnForged(webhook, verdict === 'valid' ? undefined : forged);
  if (verdict !== 'valid') throw new Problem('signature-invalid', refusals[verdict](header));
}

/** Leaves out keys that are missing: a delivery that another key has signed is still accepted. */
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
    await note.record('skipped');
    return { status: 200, body: { skipped: true } };
  }
  note.mapped(args, definition);
  const by: Caller = { ...caller, trigger: 'webhook' };
  let isDuplicate = false;
  try {
    const { runId } = await o.createRun({ job_id: jobId, args, tenant }, by, undefined, async (tx, newId) => {
      if (webhook.made && !(await store.webhooks.isThere(tx, id))) throw noWebhook();
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
