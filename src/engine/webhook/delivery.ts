// Reads a delivery whose proof is right: its event, the keys by which a duplicate is recognised, whether it only tests
// the address, and the arguments of its run.

import { isObject } from '../../catalog/arguments/subschemas.ts';
import { evaluateForDelivery } from '../../catalog/expression/expression.ts';
import type { JobDefinition, JsonObject, JsonValue } from '../../domain/job.ts';
import { readableHeaders, type WebhookScheme, type WebhookTerms } from '../../domain/trigger/webhook.ts';
import { createSha256 } from '../../lib/sha256.ts';
import { mapArguments } from '../mapped-arguments.ts';
import type { ReadHeader } from './signature.ts';

export type Delivery = {
  readonly read: ReadHeader;
  readonly query: JsonObject;
  readonly raw: Buffer;
  readonly body: JsonValue;
};

/** A second delivery with the same key within this time is a duplicate. */
export type DeliveryKey = { readonly key: string; readonly forMs: number };

const weekMs = 7 * 86_400_000;
const shortMs = 600_000;
const longestChallengeChars = 1_000;

type ReadText = (delivery: Delivery) => string | undefined;

const missing: ReadText = () => undefined;

const eventHeaders = { github: 'x-github-event', gitlab: 'x-gitlab-event' };

/** The header that says the kind of event, if the scheme has one. */
export function eventHeaderOf(scheme: WebhookScheme): string | undefined {
  return scheme === 'github' || scheme === 'gitlab' ? eventHeaders[scheme] : undefined;
}

/** Where each scheme puts the kind of event, and the id that the sender gave the delivery. */
const facts: Readonly<Record<WebhookScheme, { readonly event: ReadText; readonly id: ReadText }>> = {
  github: { event: ({ read }) => read(eventHeaders.github), id: ({ read }) => read('x-github-delivery') },
  gitlab: { event: ({ read }) => read(eventHeaders.gitlab), id: ({ read }) => read('idempotency-key') },
  stripe: { event: ({ body }) => textAt(body, 'type'), id: ({ body }) => textAt(body, 'id') },
  slack: {
    event: ({ body }) => textAt(body, 'event', 'type') ?? textAt(body, 'type') ?? textAt(body, 'command'),
    id: ({ body }) => textAt(body, 'event_id'),
  },
  standard: { event: ({ body }) => textAt(body, 'type'), id: ({ read }) => read('webhook-id') },
  hmac: { event: missing, id: missing },
  token: { event: missing, id: missing },
};

/** Returns an empty text if the scheme has no kinds of events. */
export function eventOf(scheme: WebhookScheme, delivery: Delivery): string {
  return facts[scheme].event(delivery) ?? '';
}

export function deliveryIdOf(scheme: WebhookScheme, delivery: Delivery): string | undefined {
  return facts[scheme].id(delivery);
}

export function keysOf(scheme: WebhookScheme, delivery: Delivery): DeliveryKey[] {
  const id = deliveryIdOf(scheme, delivery);
  // Deliveries of this scheme have no signature and no id. If a caller sends the same body again, it is a new delivery.
  if (scheme === 'token') return [];
  const byBody = `body:${hashOf(delivery.raw)}`;
  if (id === undefined) return [{ key: byBody, forMs: shortMs }];
  const byId = { key: `id:${hashOf(id)}`, forMs: weekMs };
  // GitHub does not sign the id, so the body counts, too.
  return scheme === 'github' ? [byId, { key: byBody, forMs: weekMs }] : [byId];
}

/** Returns the answer to a delivery that only tests the address; undefined for all other deliveries. */
export function answerToTest(scheme: WebhookScheme, { read, body }: Delivery): JsonObject | undefined {
  if (scheme === 'github' && read(eventHeaders.github) === 'ping') return { pong: true };
  if (scheme !== 'slack' || textAt(body, 'type') !== 'url_verification') return undefined;
  return { challenge: (textAt(body, 'challenge') ?? '').slice(0, longestChallengeChars) };
}

/**
 * The arguments of the run; undefined when `if` says that no run starts.
 * @throws Problem validation-error
 */
export function argumentsOf(
  webhook: Pick<WebhookTerms, 'scheme' | 'condition' | 'args' | 'headers'>,
  delivery: Delivery,
  { secretArgs }: Pick<JobDefinition, 'secretArgs'>,
  event = eventOf(webhook.scheme, delivery),
): JsonObject | undefined {
  const { query, body } = delivery;
  const headers = headersOf(webhook, delivery.read);
  const scope = { body, query, headers, event };
  return mapArguments(webhook, secretArgs, (text) => evaluateForDelivery(text, scope));
}

function headersOf({ headers }: Pick<WebhookTerms, 'headers'>, read: ReadHeader): JsonObject {
  const found = [...readableHeaders, ...headers].flatMap((name) => {
    const value = read(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found);
}

function textAt(value: JsonValue, ...path: readonly string[]): string | undefined {
  let at: JsonValue | undefined = value;
  for (const name of path) at = isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
  return typeof at === 'string' ? at : undefined;
}

export function hashOf(content: string | Buffer): string {
  return createSha256().update(content).digest('base64url');
}
