// The operations on the audit log, and their shapes.

import { Type } from 'typebox';
import { auditActions, auditObjectKinds, auditResults } from '../domain/audit.ts';
import { anyObject, literals, nullable, timestamp } from './basics.ts';
import { closed, instant, oneOf, page, text } from './operation-parts.ts';
import { routes } from './routes.ts';

const auditEntry = Type.Object({
  id: Type.Integer(),
  at: timestamp,
  actor: Type.Object({
    kind: literals(['local', 'token', 'jwt', 'schedule', 'anonymous', 'system'] as const),
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

export const auditOperations = {
  listAudit: {
    ...routes.listAudit,
    tag: 'Audit',
    summary: 'Who did what to which object, from where, with what result; newest first',
    scope: 'audit:read',
    query: Type.Object(
      {
        actor: text('What this principal did'),
        action: oneOf(auditActions, 'This action'),
        object: text('What was done to the object of this id'),
        result: oneOf(auditResults, 'What came of it'),
        tenant: text('Rows of this tenant; `*` is the instance'),
        since: instant('At this time or later'),
        until: instant('Before this time'),
        q: text('Free text in actor, object, address, request, reason and detail'),
        ...page('Rows at most; 100 without it, as JSON lines all'),
      },
      closed,
    ),
    answers: [
      {
        status: 200,
        description: 'Rows of the audit log',
        content: { 'application/json': auditList, 'application/x-ndjson': auditEntry },
      },
    ],
    problems: ['validation-error'],
  },
} as const;
