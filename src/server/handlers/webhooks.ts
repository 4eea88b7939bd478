// Webhooks and their deliveries. hook-routes.ts receives the deliveries.

import type { FastifyRequest } from 'fastify';
import { apiBase } from '../../contract/routes.ts';
import type { JsonValue } from '../../domain/job.ts';
import { assertReached, holdsScope, type Principal } from '../../domain/principal.ts';
import type { Caller } from '../../engine/create.ts';
import type { Webhook } from '../../engine/webhook/webhook-parts.ts';
import type { Webhooks } from '../../engine/webhook/webhooks.ts';
import { toTimestamp } from '../../lib/clock.ts';
import type { Store } from '../../store/open.ts';
import type { Handlers } from '../exchange.ts';
import { toDenial } from './denial.ts';
import { pageOf } from './query-values.ts';
import { idempotencyKeyOf, sendCreated } from './starting-runs.ts';

type Names =
  | 'listWebhooks'
  | 'createWebhook'
  | 'getWebhook'
  | 'deleteWebhook'
  | 'testWebhook'
  | 'listDeliveries'
  | 'replayDelivery';
type Row = Awaited<ReturnType<Store['webhooks']['deliveries']>>[number];

export function createWebhookHandlers(o: {
  readonly webhooks: Webhooks;
  readonly store: Pick<Store, 'webhooks'>;
  readonly jobIdOf: (idOrAlias: string) => string;
  readonly starterOf: (request: FastifyRequest) => Caller;
  /** The address at which people reach this server, if flwd.yaml says it. */
  readonly publicUrl: string | null;
}): Pick<Handlers, Names> {
  const { webhooks, store } = o;
  const base = o.publicUrl?.replace(/\/+$/, '');

  const toAnswer = (webhook: Webhook, principal: Principal) => answerOf(webhook, principal, store);

  return {
    async listWebhooks({ request: { principal }, query: { job_id: asked, tenant, ...paging } }) {
      assertReached(principal, tenant);
      const jobId = asked === undefined ? undefined : o.jobIdOf(asked);
      const matching = (await webhooks.list(principal))
        .filter(
          (one) => (jobId === undefined || one.jobId === jobId) && (tenant === undefined || one.tenant === tenant),
        )
        .toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
      const { page, total, nextCursor } = pageOf(matching, paging, { of: placeOf, pattern: /\0/ });
      const listed = await Promise.all(page.map((webhook) => toAnswer(webhook, principal)));
      return { webhooks: listed, total, next_cursor: nextCursor };
    },

    async createWebhook({ request: { principal }, reply, body, record }) {
      const { webhook, token } = await webhooks.create(body, principal, record);
      const hook = `/hooks/${token}`;
      return reply
        .code(201)
        .header('location', `${apiBase}/webhooks/${webhook.id}`)
        .send({ ...(await toAnswer(webhook, principal)), hook, url: base === undefined ? null : base + hook });
    },

    getWebhook: async ({ request: { principal }, path }) =>
      toAnswer(await webhooks.get(path.webhook_id, principal), principal),

    async deleteWebhook({ request: { principal }, reply, path, record }) {
      await webhooks.remove(path.webhook_id, principal, record);
      return reply.code(204).send();
    },

    testWebhook({ request: { principal }, path, body: { body = null, event, headers = {}, query = {} } }) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it was parsed from JSON
      const delivery = { body: body as JsonValue, event, headers, query };
      return webhooks.test(path.webhook_id, delivery, principal);
    },

    async listDeliveries({ request: { principal }, path }) {
      const { id } = await webhooks.get(path.webhook_id, principal);
      return { deliveries: (await store.webhooks.deliveries(id)).map(toDelivery) };
    },

    async replayDelivery({ request, reply, path }) {
      const key = idempotencyKeyOf(request);
      const starter = o.starterOf(request);
      return sendCreated(reply, await webhooks.replay(path.webhook_id, path.delivery_id, starter, key));
    },
  };
}

async function answerOf(webhook: Webhook, principal: Principal, store: Pick<Store, 'webhooks'>) {
  const { id, name, jobId, tenant, scheme, header, secrets, condition, args, perMinute, denied, made } = webhook;
  const [last] = holdsScope(principal, 'runs:read') ? await store.webhooks.deliveries(id, 1) : [];
  return {
    id,
    name,
    job_id: jobId,
    tenant,
    source: made ? ('api' as const) : ('job' as const),
    hook: made ? null : `/hooks/${jobId}/${name}`,
    scheme,
    header,
    secrets: [...secrets],
    if: condition,
    args,
    per_minute: perMinute,
    denied: toDenial(denied),
    created_at: made ? toTimestamp(made.createdAtMs) : null,
    created_by: made?.createdBy ?? null,
    last_delivery: last ? toDelivery(last) : null,
  };
}

/** No job id contains NUL. */
function placeOf({ jobId, name, id }: Webhook): string {
  return `${jobId}\0${name}\0${id}`;
}

function toDelivery(row: Row) {
  return {
    id: row.id,
    at: toTimestamp(row.at),
    result: row.result,
    event: row.event,
    delivery_id: row.sender_id,
    scheme: row.scheme,
    run_id: row.run_id,
    args: row.args === null ? null : JSON.parse(row.args),
    problem: row.problem,
    detail: row.detail,
    repeats: row.repeats,
  };
}
