// GET /audit: one page of the audit log as JSON, or all matching entries as JSON lines.

import type { QueryOf } from '../../contract/operations.ts';
import { assertReached, type Principal } from '../../domain/principal.ts';
import { defined } from '../../lib/defined.ts';
import type { AuditStore } from '../../store/audit/audit.ts';
import type { AuditEntries, AuditFilter, AuditListQuery } from '../../store/audit/audit-list.ts';
import type { AuditVerdict } from '../../store/audit/audit-verify.ts';
import { preferredType } from '../answers/preferred-type.ts';
import type { Handlers } from '../exchange.ts';
import type { StreamWriter } from '../streams/open-stream.ts';
import type { Streams } from '../streams/streams.ts';
import { toMs } from './query-values.ts';

const pageEntries = 100;
const entriesAtOnce = 500;
const lines = 'application/x-ndjson';

export function createAuditHandlers(o: {
  readonly audit: Pick<AuditStore, 'list' | 'read' | 'verify'>;
  readonly streams: Streams;
}): Pick<Handlers, 'listAudit' | 'verifyAudit'> {
  /** Requests that arrive while the log is being verified share the result. */
  let verifying: Promise<AuditVerdict> | undefined;
  return {
    async verifyAudit() {
      verifying ??= o.audit.verify().finally(() => {
        verifying = undefined;
      });
      const { removedThrough, ...verdict } = await verifying;
      return { ...verdict, removed_through: removedThrough };
    },

    async listAudit({ request, reply, query }) {
      const { limit, offset, cursor } = query;
      const filter = filterOf(request.principal, query);
      if (preferredType(request.raw.headers.accept, ['application/json', lines]) === lines) {
        // The first page is read before the answer begins. So a wrong cursor causes a problem document and not a broken
        // stream.
        const read: Read = (page) => o.audit.read({ ...filter, ...page });
        const first = await read({
          limit: Math.min(limit ?? entriesAtOnce, entriesAtOnce),
          ...defined({ offset, cursor }),
        });
        return o.streams.send(request, reply, lines, (writer) => sendLines(read, first, limit ?? Infinity, writer));
      }
      const page = { limit: limit ?? pageEntries, ...defined({ offset, cursor }) };
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

async function sendLines(
  read: Read,
  first: AuditEntries,
  limit: number,
  { signal, write }: StreamWriter,
): Promise<void> {
  let left = limit;
  for (let page = first; ; ) {
    await write(page.entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    left -= page.entries.length;
    if (page.nextCursor === null || left <= 0 || signal.aborted) return;
    page = await read({ limit: Math.min(left, entriesAtOnce), cursor: page.nextCursor });
  }
}
