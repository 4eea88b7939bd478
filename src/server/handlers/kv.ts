// The key-value store. Each tenant has its own keys and values.

import { type Principal, tenantFor } from '../../domain/principal.ts';
import { validationError } from '../../domain/problem.ts';
import type { Engine } from '../../engine/engine.ts';
import { toTimestamp } from '../../lib/clock.ts';
import { defined } from '../../lib/defined.ts';
import type { KvSummary } from '../../store/kv.ts';
import { toTimestampOrNull } from '../../store/run/run-rows.ts';
import type { Handlers } from '../exchange.ts';
import { cursorError } from './query-values.ts';

const pageSize = 1000;

export function createKvHandlers(o: { readonly kv: Engine['kv']; readonly defaultTenant: string }) {
  const { kv } = o;
  const tenantOf = (principal: Principal, query: { readonly tenant?: string }): string =>
    tenantFor(principal, query.tenant, o.defaultTenant);

  return {
    async listKvNamespaces({ request, query }) {
      const { limit = pageSize } = query;
      const found = await kv.namespaces(tenantOf(request.principal, query), { limit: limit + 1, ...afterOf(query) });
      const { page, nextCursor } = pageOf(found, limit, ({ namespace }) => namespace);
      return { namespaces: page, next_cursor: nextCursor };
    },

    async listKvKeys({ request, path: { namespace }, query }) {
      const { limit = pageSize, prefix = '' } = query;
      const where = { tenant: tenantOf(request.principal, query), namespace, prefix };
      const found = await kv.list(where, { limit: limit + 1, ...afterOf(query) });
      const { page, nextCursor } = pageOf(found, limit, ({ key }) => key);
      return { keys: page.map(toSummary), next_cursor: nextCursor };
    },

    async getKvKey({ request, path, query }) {
      const { value, ...row } = await kv.get({ tenant: tenantOf(request.principal, query), ...path });
      return { ...toSummary(row), value: toBase64(value) };
    },

    async putKvKey({ request, reply, path, query, body, record }) {
      const { principal } = request;
      const value = fromBase64(body.value);
      const { entry, isNew } = await kv.set(
        {
          tenant: tenantOf(principal, query),
          ...path,
          value,
          ...defined({ ifVersion: body.if_version, ttl: body.ttl }),
          by: principal.name,
        },
        record,
      );
      return reply.code(isNew ? 201 : 200).send({ ...toSummary(entry), value: toBase64(value) });
    },

    async deleteKvKey({ request, reply, path, query, record }) {
      await kv.remove({ tenant: tenantOf(request.principal, query), ...path }, record);
      return reply.code(204).send();
    },
  } satisfies Partial<Handlers>;
}

function toSummary({ tenant, namespace, key, version, size_bytes: sizeBytes, ...row }: KvSummary) {
  return {
    tenant,
    namespace,
    key,
    version,
    size_bytes: sizeBytes,
    updated_at: toTimestamp(row.updated_at),
    updated_by: row.updated_by,
    expires_at: toTimestampOrNull(row.expires_at),
  };
}

function toBase64(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64');
}

/** @throws Problem validation-error */
function fromBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') === text) return bytes;
  throw validationError([{ pointer: '/value', message: 'is not base64 (RFC 4648, with padding)', keyword: 'format' }]);
}

/** Reads a cursor: the last name of a page in base64url. @throws Problem validation-error */
function afterOf({ cursor }: { readonly cursor?: string }): { readonly after?: string } {
  if (cursor === undefined) return {};
  const after = Buffer.from(cursor, 'base64url').toString();
  if (/\p{Cc}/u.test(after)) throw cursorError();
  return { after };
}

/** `found` has one item more than the limit if there is another page. */
function pageOf<T>(found: readonly T[], limit: number, nameOf: (item: T) => string) {
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const hasMore = last !== undefined && found.length > limit;
  return { page, nextCursor: hasMore ? Buffer.from(nameOf(last)).toString('base64url') : null };
}
