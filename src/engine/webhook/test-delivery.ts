// Says what a delivery would do. Takes the same steps as for a real delivery, except that it checks no proof. Starts no
// run and stores nothing.

import type { JsonObject, JsonValue } from '../../domain/job.ts';
import { Problem } from '../../domain/problem.ts';
import type { WebhookTestResult } from '../../domain/trigger/webhook.ts';
import { asksPerson } from '../plan/agent-approval.ts';
import { answerToTest, argumentsOf, type Delivery, eventHeaderOf, eventOf } from './delivery.ts';
import { detailOf, withoutSecrets } from './delivery-log.ts';
import type { DeniedWebhook, OpenWebhook } from './find-webhook.ts';
import type { Webhook, WebhookParts } from './webhook-parts.ts';

export type TestDelivery = {
  readonly body: JsonValue;
  /** The kind of event. A real delivery has it where the scheme puts it. */
  readonly event?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly query: JsonObject;
};

export type WebhookTest = {
  readonly result: WebhookTestResult;
  readonly event: string;
  /** The arguments with their secrets redacted; null if they could not be computed, or if there would be no run. */
  readonly args: JsonObject | null;
  /** Whether the run would wait for a person before its first step. */
  readonly asks_person: boolean;
  /** Why the delivery would be refused. */
  readonly problem: string | null;
  readonly detail: string | null;
};

export async function testDelivery(
  { webhook, principal }: OpenWebhook | DeniedWebhook,
  given: TestDelivery,
  o: WebhookParts,
): Promise<WebhookTest> {
  const delivery = toDelivery(webhook, given);
  const event = given.event ?? eventOf(webhook.scheme, delivery);
  const nothing = { event, args: null, asks_person: false, problem: null, detail: null };
  let args: JsonObject | null = null;
  let secretArgs: readonly string[] = [];
  try {
    if (!principal) throw webhook.denied;
    if (answerToTest(webhook.scheme, delivery)) return { ...nothing, result: 'tested' };
    const { definition } = o.catalog.find(webhook.jobId);
    ({ secretArgs } = definition);
    const mapped = argumentsOf(webhook, delivery, definition, event);
    if (mapped === undefined) return { ...nothing, result: 'skipped' };
    args = withoutSecrets(mapped, secretArgs);
    const request = { job_id: definition.id, args: mapped, tenant: webhook.tenant, by: principal };
    const { denied } = await o.plan(request);
    if (denied) throw denied;
    return { ...nothing, result: 'starts', args, asks_person: asksPerson(principal, definition) };
  } catch (error) {
    if (!(error instanceof Problem) || error.slug === 'not-ready') throw error;
    return { ...nothing, result: 'refused', args, problem: error.slug, detail: detailOf(error, secretArgs) };
  }
}

function toDelivery({ scheme }: Webhook, { body, event, headers, query }: TestDelivery): Delivery {
  const eventHeader = eventHeaderOf(scheme);
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  if (eventHeader !== undefined && event !== undefined) lower.set(eventHeader, event);
  return { body, query, raw: Buffer.alloc(0), read: (name) => lower.get(name) };
}
