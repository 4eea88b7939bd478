// The operations of the instance itself, a part of the table in operations.ts.

import { type TSchema, Type } from 'typebox';
import * as schemas from './schemas.ts';

const closed = { additionalProperties: false } as const;
const json = <S extends TSchema>(status: number, schema: S, description: string) => ({
  status,
  description,
  content: { 'application/json': schema },
});

export const systemOperations = {
  getHealth: {
    method: 'GET',
    path: '/health',
    tag: 'System',
    summary: 'Health of this instance',
    scope: 'public',
    answers: [json(200, schemas.health, 'Healthy or degraded'), json(503, schemas.health, 'Cannot accept runs')],
    problems: [],
  },
  getSystemInfo: {
    method: 'GET',
    path: '/system/info',
    tag: 'System',
    summary: 'Version, sources, limits and what this host can enforce',
    scope: 'jobs:read',
    answers: [json(200, schemas.systemInfo, 'System information')],
    problems: [],
  },
  collectGarbage: {
    method: 'POST',
    path: '/system/gc',
    tag: 'System',
    summary: 'Remove what is past its retention now, some seconds long',
    scope: 'admin',
    isInstanceWide: true,
    query: Type.Object(
      { dry_run: Type.Optional(Type.Boolean({ description: 'Only say what would be removed' })) },
      closed,
    ),
    answers: [json(200, schemas.collected, 'What was removed; `done` is false where there is more')],
    problems: ['not-ready'],
    audit: { action: 'gc', object: 'instance', keeps: ['dry_run'] },
  },
} as const;
