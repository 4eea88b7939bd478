// The operations on webhooks and their deliveries, and their schemas.

import { Type } from 'typebox';
import { secretNamePattern } from '../domain/access/secret-name.ts';
import {
  deliveryResults,
  headerNamePattern,
  webhookNamePattern,
  webhookSchemes,
  webhookTestResults,
} from '../domain/trigger/webhook.ts';
import { routes } from './routes.ts';
import { runCreated, runRequest, startProblems } from './run-schemas.ts';
import {
  anyObject,
  createdHeaders,
  denial,
  idempotencyKey,
  json,
  literals,
  named,
  nullable,
  oneOf,
  page,
  queryOf,
  request,
  text,
  textOrNull,
  timestamp,
} from './schema-parts.ts';

const delivery = named('Delivery', {
  id: Type.String(),
  at: timestamp,
  result: literals(deliveryResults),
  event: nullable(Type.String()),
  delivery_id: textOrNull('The id that the sender gave the delivery'),
  scheme: literals(webhookSchemes),
  run_id: nullable(Type.String()),
  args: nullable(
    Type.Record(Type.String(), Type.Unknown(), {
      description: 'The arguments that the expressions gave, with secrets redacted',
    }),
  ),
  problem: textOrNull('Why the delivery was refused: the name of the problem, such as `job-invalid`'),
  detail: textOrNull('Why the delivery was refused, in words; if it came again, why it was refused the last time'),
  repeats: Type.Integer({ description: 'How many times the delivery came again' }),
});

const webhook = named('Webhook', {
  id: Type.String(),
  name: Type.String(),
  job_id: Type.String(),
  tenant: Type.String(),
  source: Type.Enum(['job', 'api']),
  hook: textOrNull(
    'The path of its address on the server; null if the webhook was created by the API, because that address has ' +
      'a token, which is shown only once',
  ),
  scheme: literals(webhookSchemes),
  header: textOrNull('The header with the signature; null for the scheme `token`'),
  secrets: Type.Array(Type.String(), { description: 'The names of the stored secrets with which a sender signs' }),
  missing_secrets: Type.Array(Type.String(), {
    description: 'The names in `secrets` that are not stored; if no secret is stored, every delivery is refused',
  }),
  if: nullable(Type.String()),
  args: Type.Record(Type.String(), Type.String()),
  per_minute: nullable(
    Type.Integer({ description: 'How many deliveries the webhook accepts a minute; null: it has no such limit' }),
  ),
  denied: denial(
    'the webhook refuses every delivery',
    'its job does not exist, is invalid or is from an untrusted source; the limited token that created the webhook is no longer valid; or flwd.yaml pauses all triggers and webhooks',
  ),
  created_at: nullable(timestamp),
  created_by: nullable(Type.String()),
  last_delivery: nullable(
    Type.Object(delivery.properties, { description: 'The newest delivery; null if the caller lacks `runs:read`' }),
  ),
});

const newWebhook = named('NewWebhook', {
  ...webhook.properties,
  hook: Type.String({
    description: 'The path of its address, with the token. Only this answer has it: treat it like a password',
  }),
  url: textOrNull('The whole address; null if flwd.yaml has no `server.public_url`'),
});

const expression = Type.String({ minLength: 1, maxLength: 16_384 });
const headerName = Type.String({ pattern: headerNamePattern });
const secretName = Type.String({ pattern: secretNamePattern });

const webhookRequest = request('WebhookRequest', {
  job_id: runRequest.properties.job_id,
  name: Type.Optional(
    Type.String({
      pattern: webhookNamePattern,
      description: 'The name of the webhook; by default, `hook-` and the end of its id',
    }),
  ),
  scheme: oneOf(
    webhookSchemes,
    'How the sender signs. By default `token`: everybody who knows the address may start the job',
  ),
  secret: Type.Optional(
    Type.Union([secretName, Type.Array(secretName, { minItems: 1, maxItems: 5, uniqueItems: true })], {
      description: 'The stored secret with which the sender signs: one name, or several',
    }),
  ),
  header: Type.Optional(headerName),
  if: Type.Optional(expression),
  args: Type.Optional(
    Type.Record(Type.String({ maxLength: 255 }), expression, {
      maxProperties: 200,
      description: 'For each argument, an expression that can use `body`, `headers`, `query` and `event`',
    }),
  ),
  headers: Type.Optional(
    Type.Array(headerName, {
      minItems: 1,
      maxItems: 20,
      uniqueItems: true,
      description: 'Further headers that the expressions can use',
    }),
  ),
  wait: text('How long the answer waits for the end of the run, such as `8s`; at most `30s`'),
  per_minute: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 60_000,
      description:
        'How many deliveries the webhook accepts a minute; by default, 10 for the scheme `token`, and no limit for others',
    }),
  ),
  tenant: runRequest.properties.tenant,
});

const textMap = (description: string) =>
  Type.Optional(
    Type.Record(Type.String({ maxLength: 255 }), Type.String({ maxLength: 8_192 }), {
      maxProperties: 100,
      description,
    }),
  );

const testRequest = request('WebhookTestRequest', {
  body: Type.Optional(Type.Unknown({ description: 'The body of the delivery, as JSON; null by default' })),
  event: text('The kind of event; by default, what the scheme finds in the body'),
  headers: textMap('The headers of the delivery'),
  query: textMap('The query parameters of the delivery’s address'),
});

const test = named('WebhookTest', {
  result: Type.Enum<[...typeof webhookTestResults]>([...webhookTestResults], {
    description:
      'Whether the delivery would start a run, be skipped because `if` is false, be refused, or only test the address',
  }),
  event: Type.String(),
  args: nullable(anyObject),
  asks_person: Type.Boolean({ description: 'Whether the run would wait until a person approves it' }),
  problem: textOrNull('Why the delivery would be refused: the name of the problem, such as `job-invalid`'),
  detail: nullable(Type.String()),
});

export const webhookOperations = {
  listWebhooks: {
    ...routes.listWebhooks,
    tag: 'Webhooks',
    summary: 'List webhooks, each with its address and its last delivery',
    scope: 'jobs:read',
    query: queryOf({
      job_id: text('Only webhooks of this job'),
      tenant: text('Only webhooks of this tenant'),
      ...page('How many webhooks to return at most; all by default'),
    }),
    answers: [
      json(
        200,
        named('WebhookList', {
          webhooks: Type.Array(webhook),
          total: Type.Integer(),
          next_cursor: nullable(Type.String()),
        }),
        'Webhooks, sorted by job, name and id',
      ),
    ],
    problems: ['validation-error', 'permission-denied'],
  },
  createWebhook: {
    ...routes.createWebhook,
    tag: 'Webhooks',
    summary: 'Create a webhook whose address has a token, which is shown only once',
    scope: 'schedules:write',
    body: webhookRequest,
    answers: [json(201, newWebhook, 'Created', ['Location'])],
    problems: ['validation-error', 'permission-denied', 'job-not-found', 'job-invalid', 'source-untrusted'],
    audit: {
      action: 'webhook.create',
      object: 'webhook',
      keeps: ['job_id', 'name', 'scheme', 'secret', 'per_minute', 'tenant'],
    },
  },
  getWebhook: {
    ...routes.getWebhook,
    tag: 'Webhooks',
    summary: 'Get a webhook',
    scope: 'jobs:read',
    answers: [json(200, webhook, 'The webhook')],
    problems: ['webhook-not-found'],
  },
  deleteWebhook: {
    ...routes.deleteWebhook,
    tag: 'Webhooks',
    summary: 'Remove a webhook that was created by the API, with its deliveries; its runs are kept',
    scope: 'schedules:write',
    answers: [{ status: 204, description: 'Removed', content: {} }],
    problems: ['webhook-not-found', 'source-managed'],
    audit: { action: 'webhook.delete', object: 'webhook' },
  },
  testWebhook: {
    ...routes.testWebhook,
    tag: 'Webhooks',
    summary: 'Test a webhook: get what a delivery would do, without starting a run; needs no signature',
    scope: 'runs:write',
    body: testRequest,
    answers: [json(200, test, 'What the delivery would do')],
    problems: ['validation-error', 'webhook-not-found'],
    audit: null,
  },
  listDeliveries: {
    ...routes.listDeliveries,
    tag: 'Webhooks',
    summary: 'List the last 100 deliveries of a webhook, newest first',
    scope: 'runs:read',
    answers: [
      json(200, named('DeliveryList', { deliveries: Type.Array(delivery) }), 'Deliveries with a valid signature'),
    ],
    problems: ['webhook-not-found'],
  },
  replayDelivery: {
    ...routes.replayDelivery,
    tag: 'Webhooks',
    summary: 'Start a run with the arguments of an earlier delivery',
    scope: 'runs:write',
    headers: idempotencyKey,
    answers: [json(201, runCreated, 'Created', createdHeaders)],
    problems: [
      'webhook-not-found',
      'delivery-not-found',
      'delivery-not-replayable',
      'validation-error',
      'run-not-found',
      'run-not-finished',
      'revision-expired',
      ...startProblems,
    ],
    audit: { action: 'run.create', object: 'run' },
  },
} as const;
