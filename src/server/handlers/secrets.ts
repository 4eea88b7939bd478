// The stored secrets of each tenant, and the rotation of the key that seals them.

import type { Catalog } from '../../catalog/catalog.ts';
import { namedSecrets } from '../../catalog/job/named-secrets.ts';
import { secretsIn, secretsOfChannel } from '../../domain/notification.ts';
import { holdsScope, type Principal, reachesJob, reachesTenant, tenantFor } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { Engine } from '../../engine/engine.ts';
import { toTimestamp } from '../../lib/clock.ts';
import type { Store } from '../../store/open.ts';
import type { StoredSecret } from '../../store/secrets.ts';
import type { Handlers } from '../exchange.ts';
import type { ServerConfig } from '../server-config.ts';
import { cursorError } from './query-values.ts';
import { isInstanceAdmin } from './system.ts';

type SecretUsers = Pick<ServerConfig, 'instance' | 'notify' | 'collector'>;
const pageSize = 1000;
const rotateMs = 2_000;

export function createSecretHandlers(o: {
  readonly engine: Pick<Engine, 'secrets' | 'rotateKey'>;
  readonly catalog: Pick<Catalog, 'entries'>;
  readonly webhooks: Pick<Store['webhooks'], 'page'>;
  readonly config: SecretUsers;
}) {
  const { secrets, rotateKey } = o.engine;
  const { defaultTenant } = o.config.instance;

  return {
    async listSecrets({ request, query }) {
      const tenant = tenantFor(request.principal, query.tenant, defaultTenant);
      const { limit = pageSize } = query;
      const after = query.cursor === undefined ? {} : { after: parseCursor(query.cursor) };
      const offset = query.cursor === undefined ? { offset: query.offset ?? 0 } : {};
      const { secrets: found, total } = await secrets.page(tenant, { limit: limit + 1, ...offset, ...after });
      const page = found.slice(0, limit);
      const last = page.at(-1);
      const nextCursor = last && found.length > limit ? Buffer.from(last.name).toString('base64url') : null;
      const rest = { total, next_cursor: nextCursor };
      if (!holdsScope(request.principal, 'jobs:read')) {
        return {
          secrets: page.map((secret) => ({ ...toAnswer(secret), used_by: null, also_used_by: null })),
          missing: null,
          ...rest,
        };
      }
      const uses = usesOf(o.catalog);
      const others = await otherUses(tenant, request.principal, o);
      const stored = new Set(await secrets.names(tenant));
      return {
        secrets: page.map((secret) => ({
          ...toAnswer(secret),
          used_by: uses.get(secret.name) ?? [],
          also_used_by: others.get(secret.name) ?? [],
        })),
        missing: [...uses]
          .filter(([name]) => !stored.has(name))
          .map(([name, jobIds]) => ({ name, used_by: jobIds }))
          .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
        ...rest,
      };
    },

    async putSecret({ request, reply, path, query, body, record }) {
      const tenant = tenantFor(request.principal, query.tenant, defaultTenant);
      const { secret, isNew } = await secrets.put(
        { tenant, name: path.name, value: body.value },
        request.principal,
        record,
      );
      return reply.code(isNew ? 201 : 200).send(toAnswer(secret));
    },

    async deleteSecret({ request, reply, path, query, record }) {
      const { principal } = request;
      if (query.tenant !== undefined && !reachesTenant(principal, query.tenant))
        throw new Problem('secret-not-found', `The secret '${path.name}' does not exist`);
      await secrets.remove(tenantFor(principal, query.tenant, defaultTenant), path.name, record);
      return reply.code(204).send();
    },

    rotateSecrets: () => rotateKey({ forMs: rotateMs }),
  } satisfies Partial<Handlers>;
}

/** The ids of the jobs that name a stored secret, by the name of the secret. */
function usesOf(catalog: Pick<Catalog, 'entries'>): ReadonlyMap<string, string[]> {
  return byName([...catalog.entries()].map(({ definition }) => [definition.id, namedSecrets(definition)]));
}

/**
 * Everything else that needs a stored secret of the tenant, by the name of the secret. Includes channels and
 * the telemetry only for an operator.
 */
async function otherUses(
  tenant: string,
  principal: Principal,
  { webhooks, config }: { readonly webhooks: Pick<Store['webhooks'], 'page'>; readonly config: SecretUsers },
): Promise<ReadonlyMap<string, string[]>> {
  const all = await webhooks.page({ tenant, jobIds: undefined, after: undefined, limit: undefined });
  const made = all.webhooks.filter(({ jobId }) => reachesJob(principal, jobId));
  const ofWebhooks = made.map(({ jobId, name, secrets }): Use => [`webhook ${jobId}/${name}`, secrets]);
  const { channels, smtp } = config.notify;
  if (!isInstanceAdmin(principal) || tenant !== config.instance.defaultTenant) return byName(ofWebhooks);
  return byName([
    ...channels.map((channel): Use => [`channel ${channel.name}`, secretsOfChannel(channel, smtp)]),
    ...ofWebhooks,
    ['telemetry', secretsIn(Object.values(config.collector?.headers ?? {}))],
  ]);
}

/** Something that uses secrets, and the names of the secrets. */
type Use = readonly [user: string, names: Iterable<string>];

function byName(uses: readonly Use[]): ReadonlyMap<string, string[]> {
  const users = new Map<string, string[]>();
  for (const [user, names] of uses)
    for (const name of new Set(names)) users.set(name, [...(users.get(name) ?? []), user]);
  return users;
}

function toAnswer({ name, tenant, ...row }: StoredSecret) {
  return {
    name,
    tenant,
    created_at: toTimestamp(row.created_at),
    created_by: row.created_by,
    updated_at: toTimestamp(row.updated_at),
    updated_by: row.updated_by,
  };
}

/** @throws Problem validation-error */
function parseCursor(cursor: string): string {
  const name = Buffer.from(cursor, 'base64url').toString();
  if (/^[\w.-]{1,128}$/.test(name)) return name;
  throw cursorError();
}
