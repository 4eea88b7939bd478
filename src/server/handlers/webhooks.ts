// Webhooks and their deliveries. hook-routes.ts receives the deliveries.

import type { FastifyRequest } from 'fastify';
import { apiBase } from '../../contract/routes.ts';
import type { JsonValue } from '../../domain/job.ts';
import { assertReached, holdsScope, type Principal } from '../../domain/principal.ts';
import type { WebhookPlace } from '../../domain/trigger/webhook.ts';
import type { Caller } from '../../engine/create.ts';
import type { Webhook } from '../../engine/webhook/webhook-parts.ts';
import type { Webhooks } from '../../engine/webhook/webhooks.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { withoutEndSlash } from '../../lib/http/http-url.ts';
import { createYielder } from '../../lib/yielder.ts';
import type { Store } from '../../store/open.ts';
import { toTimestampOrNull } from '../../store/run/run-rows.ts';
import type { Handlers } from '../exchange.ts';
import { toDenial } from './denial.ts';
import { cursorError } from './query-values.ts';
import { idempotencyKeyOf, sendCreated } from './starting-runs.ts';

type Row = Awaited<ReturnType<Store['webhooks']['deliveries']>>[number];

export function createWebhookHandlers(o: {
  readonly webhooks: Webhooks;
  readonly store: Pick<Store, 'webhooks' | 'secrets'>;
  readonly jobIdOf: (idOrAlias: string) => string;
  readonly starterOf: (request: FastifyRequest) => Caller;
  /** The address at which people reach this server; null: flwd.yaml does not name it. */
  readonly publicUrl: string | null;
}) {
  const { webhooks, store } = o;
  const base = o.publicUrl === null ? null : withoutEndSlash(o.publicUrl);

  async function toAnswer(webhook: Webhook, principal: Principal) {
    const known = {
      deliveries: await lastDeliveries([webhook], principal, store),
      stored: await storedFor([webhook], store),
    };
    return answerOf(webhook, known);
  }

  return {
    async listWebhooks({ request: { principal }, query: { job_id: asked, tenant, cursor, offset = 0, limit } }) {
      assertReached(principal, tenant);
      const jobId = asked === undefined ? undefined : o.jobIdOf(asked);
      const after = cursor === undefined ? undefined : placeIn(cursor);
      const paging = { after, offset: after ? 0 : offset, limit };
      const page = await webhooks.list(principal, { tenant, jobId, ...paging });
      const known = {
        deliveries: await lastDeliveries(page.webhooks, principal, store),
        stored: await storedFor(page.webhooks, store),
      };
      const last = page.webhooks.at(-1);
      return {
        webhooks: page.webhooks.map((webhook) => answerOf(webhook, known)),
        total: page.total,
        next_cursor: last && page.hasMore ? toCursor(last) : null,
      };
    },

    async createWebhook({ request: { principal }, reply, body, record }) {
      const { webhook, token } = await webhooks.create(body, principal, record);
      const hook = `/hooks/${token}`;
      return reply
        .code(201)
        .header('location', `${apiBase}/webhooks/${webhook.id}`)
        .send({ ...(await toAnswer(webhook, principal)), hook, url: base === null ? null : base + hook });
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
  } satisfies Partial<Handlers>;
}

/** How many webhooks are looked up with one query. */
const lookedUpAtOnce = 500;

/** The last delivery of each webhook, by its id. Empty for a caller who may not read runs. */
async function lastDeliveries(
  webhooks: readonly Webhook[],
  principal: Principal,
  store: Pick<Store, 'webhooks'>,
): Promise<ReadonlyMap<string, Row>> {
  const last = new Map<string, Row>();
  const ids = holdsScope(principal, 'runs:read') ? webhooks.map(({ id }) => id) : [];
  const maybeYield = createYielder();
  for (let from = 0; from < ids.length; from += lookedUpAtOnce) {
    const rows = await store.webhooks.lastDeliveries(ids.slice(from, from + lookedUpAtOnce));
    for (const row of rows) last.set(row.webhook_id, row);
    await maybeYield();
  }
  return last;
}

/** The names of stored secrets, by tenant. Contains only tenants whose webhooks name secrets. */
async function storedFor(
  webhooks: readonly Webhook[],
  { secrets }: Pick<Store, 'secrets'>,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const tenants = new Set(webhooks.flatMap((webhook) => (webhook.secrets.length > 0 ? [webhook.tenant] : [])));
  const stored = new Map<string, ReadonlySet<string>>();
  for (const tenant of tenants) stored.set(tenant, new Set(await secrets.names(tenant)));
  return stored;
}

function answerOf(
  webhook: Webhook,
  {
    deliveries,
    stored,
  }: {
    readonly deliveries: ReadonlyMap<string, Row>;
    readonly stored: ReadonlyMap<string, ReadonlySet<string>>;
  },
) {
  const { id, name, jobId, tenant, scheme, header, secrets, condition, args, perMinute, denied, made } = webhook;
  const last = deliveries.get(id);
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
    missing_secrets: secrets.filter((secret) => !stored.get(tenant)?.has(secret)),
    if: condition,
    args,
    per_minute: perMinute,
    denied: toDenial(denied),
    created_at: toTimestampOrNull(made?.createdAtMs ?? null),
    created_by: made?.createdBy ?? null,
    last_delivery: last ? toDelivery(last) : null,
  };
}

/** Joins the parts with NUL, which no job id contains. */
function toCursor({ jobId, name, id }: WebhookPlace): string {
  return Buffer.from(`${jobId}\0${name}\0${id}`).toString('base64url');
}

/** @throws Problem validation-error */
function placeIn(cursor: string): WebhookPlace {
  const [jobId, name, id] = Buffer.from(cursor, 'base64url').toString().split('\0');
  if (jobId === undefined || name === undefined || id === undefined) throw cursorError();
  return { jobId, name, id };
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
