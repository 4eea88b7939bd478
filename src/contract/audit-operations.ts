// The operations on the audit log, and their shapes.

import { Type } from 'typebox';
import { auditActions, auditObjectKinds, auditResults } from '../domain/audit.ts';
import { anyObject, literals, nullable, timestamp } from './basics.ts';

const closed = { additionalProperties: false } as const;
const text = (description: string) => Type.Optional(Type.String({ description, maxLength: 1024 }));

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
    method: 'GET',
    path: '/audit',
    tag: 'Audit',
    summary: 'Who did what to which object, from where, with what result; newest first',
    scope: 'audit:read',
    query: Type.Object(
      {
        actor: text('What this principal did'),
        action: Type.Optional(Type.Enum<[...typeof auditActions]>([...auditActions], { description: 'This action' })),
        object: text('What was done to the object of this id'),
        result: Type.Optional(
          Type.Enum<[...typeof auditResults]>([...auditResults], { description: 'What came of it' }),
        ),
        tenant: text('Rows of this tenant; `*` is the instance'),
        since: Type.Optional(Type.String({ format: 'date-time', description: 'At this time or later' })),
        until: Type.Optional(Type.String({ format: 'date-time', description: 'Before this time' })),
        q: text('Free text in actor, object, address, request, reason and detail'),
        limit: Type.Optional(
          Type.Integer({ minimum: 1, maximum: 1000, description: 'Rows at most; 100 without it, as JSON lines all' }),
        ),
        offset: Type.Optional(
          Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Rows to pass over' }),
        ),
        cursor: text('`next_cursor` of the page before; stable while rows are added'),
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
