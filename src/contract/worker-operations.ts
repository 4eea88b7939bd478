// The operations of workers, a part of the table in operations.ts, and their shapes.

import { Type } from 'typebox';
import { labels, timestamp } from './basics.ts';
import { routes } from './routes.ts';

const workerList = Type.Object(
  {
    workers: Type.Array(
      Type.Object({
        id: Type.String(),
        host: Type.String(),
        version: Type.String(),
        labels,
        concurrency: Type.Integer({ description: 'Processes at a time' }),
        running: Type.Integer({
          description: 'Processes of steps; for who is of one tenant, its runs that have started',
        }),
        seen_at: timestamp,
      }),
    ),
  },
  { $id: 'WorkerList' },
);

export const workerOperations = {
  listWorkers: {
    ...routes.listWorkers,
    tag: 'System',
    summary: 'Who runs the jobs',
    scope: 'jobs:read',
    answers: [{ status: 200, description: 'Workers', content: { 'application/json': workerList } }],
    problems: [],
  },
} as const;
