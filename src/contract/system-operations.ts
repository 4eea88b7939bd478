// The operations of the instance itself, a part of the table in operations.ts.

import { Type } from 'typebox';
import { closed, json } from './operation-parts.ts';
import { routes } from './routes.ts';
import * as schemas from './schemas.ts';

export const systemOperations = {
  getHealth: {
    ...routes.getHealth,
    tag: 'System',
    summary: 'Health of this instance',
    scope: 'public',
    answers: [json(200, schemas.health, 'Healthy or degraded'), json(503, schemas.health, 'Cannot accept runs')],
    problems: [],
  },
  getSystemInfo: {
    ...routes.getSystemInfo,
    tag: 'System',
    summary: 'Version, sources, limits and what this host can enforce',
    scope: 'jobs:read',
    answers: [json(200, schemas.systemInfo, 'System information')],
    problems: [],
  },
  collectGarbage: {
    ...routes.collectGarbage,
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
