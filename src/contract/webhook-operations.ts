// The operations on webhooks and their deliveries, and their schemas.

import { Type } from 'typebox';
import { deliveryResults, webhookSchemes } from '../domain/trigger/webhook.ts';
import { routes } from './routes.ts';
import { runCreated, startProblems } from './run-schemas.ts';
import { closed, denial, idempotencyKey, json, literals, nullable, page, text, timestamp } from './schema-parts.ts';

const delivery = Type.Object(
  {
    id: Type.String(),
    at: timestamp,
    result: literals(deliveryResults),
    event: nullable(Type.String()),
    delivery_id: nullable(Type.String({ description: 'The id that the sender gave it' })),
    scheme: literals(webhookSchemes),
    run_id: nullable(Type.String()),
    args: nullable(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'The arguments that the expressions gave, with secrets redacted',
      }),
    ),
    problem: nullable(Type.String({ description: 'Why it was refused: the last part of the type of the problem' })),
    detail: nullable(Type.String({ description: 'If it came again: why it was refused the last time' })),
    repeats: Type.Integer({ description: 'How many times it came again' }),
  },
  { $id: 'Delivery' },
);

const webhook = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    job_id: Type.String(),
    tenant: Type.String(),
    hook: Type.String({ description: 'The path of its address, relative to the server' }),
    scheme: literals(webhookSchemes),
    header: Type.String({ description: 'The header of the signature' }),
    if: nullable(Type.String()),
    args: Type.Record(Type.String(), Type.String()),
    denied: denial('refuses every delivery'),
    last_delivery: nullable(
      Type.Object(delivery.properties, { description: 'The newest one; null if the caller lacks `runs:read`' }),
    ),
  },
  { $id: 'Webhook' },
);

export const webhookOperations = {
  listWebhooks: {
    ...routes.listWebhooks,
    tag: 'Webhooks',
    summary: 'List webhooks, with their addresses and their last delivery',
    scope: 'jobs:read',
    query: Type.Object(
      {
        job_id: text('Only webhooks of this job'),
        tenant: text('Only webhooks of this tenant'),
        ...page('How many webhooks to return at most; all by default'),
      },
      closed,
    ),
    answers: [
      json(
        200,
        Type.Object(
          { webhooks: Type.Array(webhook), total: Type.Integer(), next_cursor: nullable(Type.String()) },
          { $id: 'WebhookList' },
        ),
        'Webhooks, sorted by job and name',
      ),
    ],
    problems: ['validation-error', 'permission-denied'],
  },
  getWebhook: {
    ...routes.getWebhook,
    tag: 'Webhooks',
    summary: 'Get a webhook',
    scope: 'jobs:read',
    answers: [json(200, webhook, 'The webhook')],
    problems: ['webhook-not-found'],
  },
  listDeliveries: {
    ...routes.listDeliveries,
    tag: 'Webhooks',
    summary: 'List the last 100 deliveries of a webhook, newest first',
    scope: 'runs:read',
    answers: [
      json(
        200,
        Type.Object({ deliveries: Type.Array(delivery) }, { $id: 'DeliveryList' }),
        'Deliveries whose signature was right',
      ),
    ],
    problems: ['webhook-not-found'],
  },
  replayDelivery: {
    ...routes.replayDelivery,
    tag: 'Webhooks',
    summary: 'Start a run with the arguments of an earlier delivery',
    scope: 'runs:write',
    headers: idempotencyKey,
    answers: [json(201, runCreated, 'Created')],
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
