// GET /audit: a page of the audit log as JSON, or all that matches as JSON lines.

import type { QueryOf } from '../../contract/operations.ts';
import { assertReached, type Principal } from '../../domain/principal.ts';
import { parseTimestampUs } from '../../lib/clock.ts';
import type { AuditStore } from '../../store/audit/audit.ts';
import type { AuditEntries, AuditFilter, AuditListQuery } from '../../store/audit/audit-list.ts';
import { defined } from '../answers/defined.ts';
import { preferredType } from '../answers/preferred-type.ts';
import type { Handlers } from '../exchange.ts';
import type { Outlet } from '../streams/open-stream.ts';
import type { Streams } from '../streams/streams.ts';

const pageRows = 100;
const rowsAtOnce = 500;
const lines = 'application/x-ndjson';

export function createAuditHandlers(o: {
  readonly audit: Pick<AuditStore, 'list' | 'read'>;
  readonly streams: Streams;
}): Pick<Handlers, 'listAudit'> {
  return {
    async listAudit({ request, reply, query }) {
      const { limit, offset, cursor } = query;
      const filter = filterOf(request.principal, query);
      if (preferredType(request.raw.headers.accept, ['application/json', lines]) === lines) {
        // Read before the answer begins: a cursor that is none is a problem, not a stream that breaks off.
        const read: Read = (page) => o.audit.read({ ...filter, ...page });
        const first = await read({ limit: Math.min(limit ?? rowsAtOnce, rowsAtOnce), ...defined({ offset, cursor }) });
        return o.streams.send(request, reply, lines, (outlet) => sendLines(read, first, limit ?? Infinity, outlet));
      }
      const page = { limit: limit ?? pageRows, ...defined({ offset, cursor }) };
      const { entries, total, nextCursor } = await o.audit.list({ ...filter, ...page });
      return { entries, total, next_cursor: nextCursor };
    },
  };
}

type Read = (page: Pick<AuditListQuery, 'limit' | 'offset' | 'cursor'>) => Promise<AuditEntries>;

/** @throws Problem permission-denied for another tenant */
function filterOf(principal: Principal, query: QueryOf<'listAudit'>): AuditFilter {
  const { actor, action, object, result, tenant, since, until, q } = query;
  const { tenant: own } = principal;
  assertReached(principal, tenant);
  return defined({
    actor,
    action,
    object,
    result,
    tenant: own === '*' ? tenant : own,
    sinceMs: toMs(since),
    untilMs: toMs(until),
    q,
  });
}

async function sendLines(read: Read, first: AuditEntries, limit: number, { signal, write }: Outlet): Promise<void> {
  let left = limit;
  for (let page = first; ; ) {
    await write(page.entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    left -= page.entries.length;
    if (page.nextCursor === null || left <= 0 || signal.aborted) return;
    page = await read({ limit: Math.min(left, rowsAtOnce), cursor: page.nextCursor });
  }
}

/** Rounded up, as rows are written on whole milliseconds. */
function toMs(time: string | undefined): number | undefined {
  const us = time === undefined ? undefined : parseTimestampUs(time);
  return us === undefined ? undefined : Math.ceil(us / 1000);
}
