// Records the outcome of each delivery, without its headers and body, and starts a run with the arguments of an earlier
// delivery.

import { isObject } from '../../catalog/arguments/subschemas.ts';
import { definitionOf } from '../../catalog/catalog.ts';
import { printable } from '../../catalog/job/job-id.ts';
import type { JobDefinition, JsonObject } from '../../domain/job.ts';
import { Problem } from '../../domain/problem.ts';
import type { DeliveryResult } from '../../domain/trigger/webhook.ts';
import { createId } from '../../lib/ids.ts';
import type { Transaction } from '../../store/database.ts';
import type { DeliveryRow } from '../../store/schema.ts';
import type { Caller } from '../create.ts';
import type { Created } from '../once.ts';
import { type Delivery, deliveryIdOf, eventOf, hashOf } from './delivery.ts';
import type { Webhook, WebhookParts } from './webhook-parts.ts';

/** Collects the facts of a delivery until they are stored. */
export type Note = ReturnType<typeof createNote>;

const redacted = '[redacted]';
const longestTextChars = 200;
const longestDetailChars = 1_000;
/** Longer arguments are not stored, so such a delivery can be sent again only while its run exists. */
const longestArgsChars = 65_536;

export function createNote(webhook: Webhook, raw: Buffer, o: WebhookParts) {
  const { store, clock } = o;
  const atMs = clock.now();
  let row: DeliveryRow = {
    id: createId('delivery', atMs),
    webhook_id: webhook.id,
    tenant: webhook.tenant,
    at: atMs,
    result: 'refused',
    scheme: webhook.scheme,
    body_hash: hashOf(raw),
    event: null,
    sender_id: null,
    run_id: null,
    args: null,
    has_secrets: 0,
    problem: null,
    detail: null,
    repeats: 0,
  };
  const add = (tx: Transaction) => store.webhooks.addDelivery(tx, row);
  return {
    read(delivery: Delivery): void {
      const senderId = deliveryIdOf(webhook.scheme, delivery);
      const event = eventOf(webhook.scheme, delivery);
      row = { ...row, event: short(event) || null, sender_id: senderId === undefined ? null : short(senderId) };
    },
    mapped(args: JsonObject, { secretArgs }: Pick<JobDefinition, 'secretArgs'>): void {
      const shown = JSON.stringify(withoutSecrets(args, secretArgs));
      const isKept = shown.length <= longestArgsChars;
      const hasSecrets = secretArgs.some((name) => Object.hasOwn(args, name));
      row = { ...row, args: isKept ? shown : null, has_secrets: hasSecrets ? 1 : 0 };
    },
    /** Runs in the transaction that adds the run. */
    async started(tx: Transaction, runId: string): Promise<void> {
      row = { ...row, result: 'started', run_id: runId };
      await add(tx);
    },
    async record(result: DeliveryResult): Promise<void> {
      row = { ...row, result };
      await store.db.transact(add);
    },
    async refused(problem: Problem): Promise<void> {
      const { secretArgs = [] } = definitionOf(webhook.jobId, o.catalog) ?? {};
      row = { ...row, result: 'refused', run_id: null, problem: problem.slug, detail: detailOf(problem, secretArgs) };
      // The sender gets the problem even if the delivery cannot be stored.
      await store.db.transact(add).catch((error: unknown) => {
        o.log.warn(
          { err: error, webhook: webhook.name, job_id: webhook.jobId },
          'a refused delivery could not be stored',
        );
      });
    },
  };
}

export function withoutSecrets(args: JsonObject, secretArgs: readonly string[]): JsonObject {
  const secret = secretArgs.filter((name) => Object.hasOwn(args, name));
  return { ...args, ...Object.fromEntries(secret.map((name) => [name, redacted])) };
}

/** For a secret argument, says only that it is not valid, because its error might repeat the value. */
export function detailOf({ message, members }: Problem, secretArgs: readonly string[]): string {
  const errors = (Array.isArray(members.errors) ? members.errors : []).filter(isObject).flatMap((one) => {
    if (typeof one.pointer !== 'string' || typeof one.message !== 'string') return [];
    const isSecret = secretArgs.includes(one.pointer.split('/')[2] ?? '');
    return [`${one.pointer} ${isSecret ? 'is not valid' : one.message}`];
  });
  const text = errors.length > 0 ? errors.join('; ') : message;
  return printable(text).slice(0, longestDetailChars);
}

function short(text: string): string {
  return printable(text).slice(0, longestTextChars);
}

export async function replay(
  webhook: Webhook,
  deliveryId: string,
  { caller, key }: { readonly caller: Caller; readonly key: string | undefined },
  { store, createRun, rerun }: WebhookParts,
): Promise<Created> {
  const { id, jobId, tenant } = webhook;
  const delivery = await store.webhooks.delivery(id, deliveryId);
  if (!delivery) throw new Problem('delivery-not-found', `The webhook has no delivery '${deliveryId}'.`);
  const { args, run_id: runId, has_secrets: hasSecrets } = delivery;
  const by: Caller = { ...caller, trigger: 'webhook' };
  // Only the run has the secrets, so the run itself is started again.
  if (runId !== null && (hasSecrets === 1 || args === null)) return rerun(runId, {}, by, key);
  if (args === null || hasSecrets === 1) {
    throw new Problem(
      'delivery-not-replayable',
      `The delivery '${deliveryId}' has no arguments that could start a run.`,
    );
  }
  return createRun({ job_id: jobId, args: JSON.parse(args), tenant }, by, key);
}
