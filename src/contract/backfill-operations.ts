// The operations on backfills, and their schemas.

import { Type } from 'typebox';
import { backfillStatuses } from '../domain/schedule.ts';
import { routes } from './routes.ts';
import { nextFire } from './schedule-operations.ts';
import {
  closed,
  instant,
  json,
  limit,
  literals,
  nullable,
  oneOf,
  page,
  text,
  timeOrNull,
  timestamp,
} from './schema-parts.ts';

const span = {
  from: Type.String({
    format: 'date-time',
    description: 'The backfill starts with the first time of the schedule at or after this instant',
  }),
  until: instant('Only times before this instant; by default, now'),
};

const previewRequest = Type.Object(span, { $id: 'BackfillPreviewRequest', additionalProperties: false });

const backfillRequest = Type.Object(
  {
    ...span,
    at_once: limit(100, 'How many of its runs may be unfinished at a time; 1 by default'),
  },
  { $id: 'BackfillRequest', additionalProperties: false },
);

const backfillPreview = Type.Object(
  {
    schedule_id: Type.String(),
    job_id: Type.String(),
    from: timestamp,
    until: timestamp,
    times: Type.Array(nextFire, { description: 'The times that would get a run, oldest first' }),
    left_out: Type.Integer({ description: 'How many times already have a run' }),
    runs_known_since: timeOrNull(
      'flwd has removed the runs that ended before this instant, so it does not know whether earlier times had a run; null if `from` is later',
    ),
  },
  { $id: 'BackfillPreview' },
);

const backfill = Type.Object(
  {
    id: Type.String(),
    schedule_id: Type.String(),
    job_id: Type.String(),
    tenant: Type.String(),
    from: timestamp,
    until: timestamp,
    at_once: Type.Integer(),
    status: literals(backfillStatuses),
    paused: Type.Boolean({
      description: 'Whether the backfill waits because all schedules of its tenant are paused',
    }),
    in_span: Type.Integer({ description: 'How many times of the schedule are in the span from `from` to `until`' }),
    left_out: Type.Integer({ description: 'How many of these times already had a run' }),
    started: Type.Integer({ description: 'How many runs the backfill has started' }),
    failed_runs: nullable(
      Type.Integer({ description: 'How many of its runs failed; null until the backfill is done' }),
    ),
    error: nullable(
      Type.Object(
        { type: Type.String(), detail: Type.String() },
        { description: 'Why the backfill failed; null if it did not fail' },
      ),
    ),
    created_at: timestamp,
    created_by: Type.String(),
    finished_at: nullable(timestamp),
  },
  { $id: 'Backfill' },
);

const refusals = [
  'validation-error',
  'permission-denied',
  'source-untrusted',
  'schedule-not-found',
  'job-invalid',
] as const;

export const backfillOperations = {
  createBackfill: {
    ...routes.createBackfill,
    tag: 'Schedules',
    summary: 'Start the runs that a schedule would have started between two times; also needs `runs:write`',
    scope: 'schedules:write',
    body: backfillRequest,
    answers: [json(201, backfill, 'Created; the backfill starts its runs, `at_once` at a time', ['Location'])],
    problems: refusals,
    audit: { action: 'schedule.backfill', object: 'schedule', keeps: ['from', 'until', 'at_once'] },
  },
  previewBackfill: {
    ...routes.previewBackfill,
    tag: 'Schedules',
    summary: 'Preview a backfill: check the request and list the times that would get a run, without starting anything',
    scope: 'runs:read',
    body: previewRequest,
    answers: [json(200, backfillPreview, 'The times')],
    problems: refusals,
    audit: null,
  },
  listBackfills: {
    ...routes.listBackfills,
    tag: 'Schedules',
    summary: 'List backfills, newest first',
    scope: 'runs:read',
    query: Type.Object(
      {
        job_id: text('Only backfills of this job'),
        schedule_id: text('Only backfills of this schedule'),
        status: oneOf(backfillStatuses, 'Only backfills with this status'),
        tenant: text('Only backfills of this tenant'),
        ...page('How many backfills to return at most; 50 by default'),
      },
      closed,
    ),
    answers: [
      json(
        200,
        Type.Object(
          { backfills: Type.Array(backfill), total: Type.Integer(), next_cursor: nullable(Type.String()) },
          { $id: 'BackfillList' },
        ),
        'Backfills',
      ),
    ],
    problems: ['validation-error', 'permission-denied'],
  },
  getBackfill: {
    ...routes.getBackfill,
    tag: 'Schedules',
    summary: 'Get a backfill',
    scope: 'runs:read',
    answers: [json(200, backfill, 'The backfill')],
    problems: ['backfill-not-found'],
  },
  cancelBackfill: {
    ...routes.cancelBackfill,
    tag: 'Schedules',
    summary: 'Cancel a backfill: it starts no more runs; the runs that it has started continue',
    scope: 'schedules:write',
    answers: [json(200, backfill, 'The backfill; unchanged if it had already ended')],
    problems: ['backfill-not-found'],
    audit: { action: 'backfill.cancel', object: 'backfill' },
  },
} as const;
