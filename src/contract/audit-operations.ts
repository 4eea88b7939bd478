// The operation on the audit log, and its schemas.

import { Type } from 'typebox';
import { auditActions, auditObjectKinds, auditResults } from '../domain/audit.ts';
import { routes } from './routes.ts';
import {
  anyObject,
  instant,
  json,
  literals,
  named,
  nullable,
  oneOf,
  page,
  queryOf,
  text,
  timestamp,
} from './schema-parts.ts';

const auditEntry = Type.Object({
  id: Type.Integer(),
  at: timestamp,
  actor: Type.Object({
    kind: literals(['local', 'token', 'jwt', 'schedule', 'webhook', 'trigger', 'mcp', 'anonymous', 'system'] as const),
    name: Type.String(),
  }),
  tenant: Type.String(),
  action: literals(auditActions),
  object: nullable(Type.Object({ kind: literals(auditObjectKinds), id: nullable(Type.String()) })),
  from: nullable(Type.String()),
  request_id: nullable(Type.String()),
  result: literals(auditResults),
  reason: nullable(Type.String()),
  detail: nullable(anyObject),
  hash: Type.String(),
});

const auditList = Type.Object({
  entries: Type.Array(auditEntry),
  total: Type.Integer(),
  next_cursor: nullable(Type.String()),
});

const verdict = named('AuditVerdict', {
  rows: Type.Integer({ description: 'How many entries have the right hash' }),
  first: nullable(Type.Object({ id: Type.Integer(), at: timestamp })),
  last: nullable(Type.Object({ id: Type.Integer(), at: timestamp, hash: Type.String() })),
  removed_through: nullable(
    Type.Integer({ description: 'Retention has removed the entries up to this id; null: no entry was removed' }),
  ),
  broken: nullable(
    Type.Object(
      { id: Type.Integer(), why: Type.String() },
      { description: 'The first entry whose `hash` does not fit; null: the chain is intact' },
    ),
  ),
});

export const auditOperations = {
  listAudit: {
    ...routes.listAudit,
    tag: 'Audit',
    summary: 'List who did what to which object, from where and with what result, newest first',
    scope: 'audit:read',
    query: queryOf({
      actor: text('Only actions of this principal'),
      action: oneOf(auditActions, 'Only this action'),
      object: text('Only actions on the object with this id'),
      result: oneOf(auditResults, 'Only actions with this result'),
      tenant: text('Only entries of this tenant; `*`: entries about the instance'),
      since: instant('Only entries from this time or later'),
      until: instant('Only entries before this time'),
      q: text('Only entries with this text in the actor, object, address, request id, reason or detail'),
      ...page('How many entries to return at most; by default 100, but all if the answer is JSON lines'),
    }),
    answers: [
      {
        status: 200,
        description: 'Entries of the audit log',
        content: { 'application/json': auditList, 'application/x-ndjson': auditEntry },
      },
    ],
    problems: ['validation-error'],
  },
  verifyAudit: {
    ...routes.verifyAudit,
    tag: 'Audit',
    summary: 'Verify the hash chain of the audit log, from the oldest entry to the newest',
    scope: 'audit:read',
    isInstanceWide: true,
    answers: [
      json(
        200,
        verdict,
        'Whether the chain is intact, and its last hash; store this hash on another machine, to compare it later',
      ),
    ],
    problems: [],
  },
} as const;
