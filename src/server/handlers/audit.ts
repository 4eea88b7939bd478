// GET /audit: a page of the audit log as JSON, or all that matches as JSON lines.

import type { QueryOf } from '../../contract/operations.ts';
import type { Principal } from '../../domain/principal.ts';
import { parseTimestampUs } from '../../lib/clock.ts';
import type { AuditStore } from '../../store/audit.ts';
import type { AuditFilter, AuditListQuery, AuditPage } from '../../store/audit-list.ts';
import { defined } from '../defined.ts';
import type { Handlers } from '../exchange.ts';
import { preferredType } from '../preferred-type.ts';
import type { Outlet, Streams } from '../streams.ts';

const pageRows = 100;
const rowsAtOnce = 500;
const lines = 'application/x-ndjson';

export function createAuditHandlers(o: {
  readonly audit: Pick<AuditStore, 'list'>;
  readonly streams: Streams;
}): Pick<Handlers, 'listAudit'> {
  return {
    async listAudit({ request, reply, query }) {
      const { limit, offset, cursor } = query;
      const list = listOf(request.principal, query);
      if (preferredType(request.raw.headers.accept, ['application/json', lines]) === lines) {
        // Read before the answer begins: a cursor that is none is a problem, not a stream that breaks off.
        const first = await list({ limit: Math.min(limit ?? rowsAtOnce, rowsAtOnce), ...defined({ offset, cursor }) });
        return o.streams.send(request, reply, lines, (outlet) => sendLines(list, first, limit ?? Infinity, outlet));
      }
      const { entries, total, nextCursor } = await list({ limit: limit ?? pageRows, ...defined({ offset, cursor }) });
      return { entries, total, next_cursor: nextCursor };
    },
  };

  function listOf(
    { tenant: own }: Principal,
    query: QueryOf<'listAudit'>,
  ): (page: Pick<AuditListQuery, 'limit' | 'offset' | 'cursor'>) => Promise<AuditPage> {
    const { actor, action, object, result, tenant, since, until, q } = query;
    const filter: AuditFilter = defined({
      actor,
      action,
      object,
      result,
      tenant: own === '*' ? tenant : own,
      sinceMs: toMs(since),
      untilMs: toMs(until),
      q,
    });
    // Of another tenant there is nothing to be seen.
    const isForeign = own !== '*' && tenant !== undefined && tenant !== own;
    if (isForeign) return async () => ({ entries: [], total: 0, nextCursor: null });
    return (page) => o.audit.list({ ...filter, ...page });
  }
}

async function sendLines(
  list: (page: Pick<AuditListQuery, 'limit' | 'cursor'>) => Promise<AuditPage>,
  first: AuditPage,
  limit: number,
  { signal, write }: Outlet,
): Promise<void> {
  let left = limit;
  for (let page = first; ; ) {
    await write(page.entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    left -= page.entries.length;
    if (page.nextCursor === null || left <= 0 || signal.aborted) return;
    page = await list({ limit: Math.min(left, rowsAtOnce), cursor: page.nextCursor });
  }
}

/** Rounded up, as rows are written on whole milliseconds. */
function toMs(time: string | undefined): number | undefined {
  const us = time === undefined ? undefined : parseTimestampUs(time);
  return us === undefined ? undefined : Math.ceil(us / 1000);
}
