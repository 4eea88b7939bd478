// Webhooks and their deliveries. hook-routes.ts receives the deliveries.

import type { FastifyRequest } from 'fastify';
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

type Names = 'listWebhooks' | 'getWebhook' | 'listDeliveries' | 'replayDelivery';
type Row = Awaited<ReturnType<Store['webhooks']['deliveries']>>[number];

export function createWebhookHandlers(o: {
  readonly webhooks: Webhooks;
  readonly store: Pick<Store, 'webhooks'>;
  readonly jobIdOf: (idOrAlias: string) => string;
  readonly starterOf: (request: FastifyRequest) => Caller;
}): Pick<Handlers, Names> {
  const { webhooks, store } = o;

  async function toAnswer(webhook: Webhook, principal: Principal) {
    const { id, name, jobId, tenant, scheme, header, condition, args, denied } = webhook;
    const [last] = holdsScope(principal, 'runs:read') ? await store.webhooks.deliveries(id, 1) : [];
    const hook = `/hooks/${jobId}/${name}`;
    const shown = { id, name, job_id: jobId, tenant, hook, scheme, header, if: condition, args };
    return { ...shown, denied: toDenial(denied), last_delivery: last ? toDelivery(last) : null };
  }

  return {
    async listWebhooks({ request: { principal }, query: { job_id: asked, tenant, ...paging } }) {
      assertReached(principal, tenant);
      const jobId = asked === undefined ? undefined : o.jobIdOf(asked);
      const matching = webhooks
        .list(principal)
        .filter(
          (one) => (jobId === undefined || one.jobId === jobId) && (tenant === undefined || one.tenant === tenant),
        )
        .toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
      const { page, total, nextCursor } = pageOf(matching, paging, { of: placeOf, pattern: /\0/ });
      const listed = await Promise.all(page.map((webhook) => toAnswer(webhook, principal)));
      return { webhooks: listed, total, next_cursor: nextCursor };
    },

    getWebhook: ({ request: { principal }, path }) => toAnswer(webhooks.get(path.webhook_id, principal), principal),

    async listDeliveries({ request: { principal }, path }) {
      const { id } = webhooks.get(path.webhook_id, principal);
      return { deliveries: (await store.webhooks.deliveries(id)).map(toDelivery) };
    },

    async replayDelivery({ request, reply, path }) {
      const key = idempotencyKeyOf(request);
      const starter = o.starterOf(request);
      return sendCreated(reply, await webhooks.replay(path.webhook_id, path.delivery_id, starter, key));
    },
  };
}

/** No job id contains NUL. */
function placeOf({ jobId, name }: Webhook): string {
  return `${jobId}\0${name}`;
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
