// Stored secrets, separate for each tenant, and the rotation of the key that seals them.

import type { Catalog } from '../../catalog/catalog.ts';
import { namedSecrets } from '../../catalog/job/named-secrets.ts';
import { holdsScope, reachesTenant, tenantFor } from '../../domain/principal.ts';
import { Problem } from '../../domain/problem.ts';
import type { Engine } from '../../engine/engine.ts';
import { toTimestamp } from '../../lib/clock.ts';
import type { StoredSecret } from '../../store/secrets.ts';
import type { Handlers } from '../exchange.ts';
import { cursorError } from './query-values.ts';

type Names = 'listSecrets' | 'putSecret' | 'deleteSecret' | 'rotateSecrets';

const pageSize = 1000;
const rotateMs = 2_000;

export function createSecretHandlers(o: {
  readonly engine: Pick<Engine, 'secrets' | 'rotateKey'>;
  readonly catalog: Pick<Catalog, 'entries'>;
  readonly defaultTenant: string;
}): Pick<Handlers, Names> {
  const { secrets, rotateKey } = o.engine;

  return {
    async listSecrets({ request, query }) {
      const tenant = tenantFor(request.principal, query.tenant, o.defaultTenant);
      const { limit = pageSize } = query;
      const after = query.cursor === undefined ? {} : { after: parseCursor(query.cursor) };
      const offset = query.cursor === undefined ? { offset: query.offset ?? 0 } : {};
      const { secrets: found, total } = await secrets.page(tenant, { limit: limit + 1, ...offset, ...after });
      const page = found.slice(0, limit);
      const last = page.at(-1);
      const nextCursor = last && found.length > limit ? Buffer.from(last.name).toString('base64url') : null;
      const rest = { total, next_cursor: nextCursor };
      if (!holdsScope(request.principal, 'jobs:read')) {
        return { secrets: page.map((secret) => ({ ...toAnswer(secret), used_by: null })), missing: null, ...rest };
      }
      const uses = usesOf(o.catalog);
      const stored = new Set(await secrets.names(tenant));
      return {
        secrets: page.map((secret) => ({ ...toAnswer(secret), used_by: uses.get(secret.name) ?? [] })),
        missing: [...uses]
          .filter(([name]) => !stored.has(name))
          .map(([name, jobIds]) => ({ name, used_by: jobIds }))
          .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
        ...rest,
      };
    },

    async putSecret({ request, reply, path, query, body, record }) {
      const tenant = tenantFor(request.principal, query.tenant, o.defaultTenant);
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
      await secrets.remove(tenantFor(principal, query.tenant, o.defaultTenant), path.name, record);
      return reply.code(204).send();
    },

    rotateSecrets: () => rotateKey({ forMs: rotateMs }),
  };
}

/** The ids of the jobs that name a stored secret, by its name. */
function usesOf(catalog: Pick<Catalog, 'entries'>): Map<string, string[]> {
  const uses = new Map<string, string[]>();
  for (const { definition } of catalog.entries()) {
    for (const name of namedSecrets(definition)) {
      const jobIds = uses.get(name);
      if (jobIds) jobIds.push(definition.id);
      else uses.set(name, [definition.id]);
    }
  }
  return uses;
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
