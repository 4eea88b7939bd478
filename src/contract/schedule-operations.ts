// The operations of schedules, a part of the table in operations.ts.

import { Type } from 'typebox';
import { closed, json, limit, page, text } from './operation-parts.ts';
import { routes } from './routes.ts';
import * as schemas from './schedule-schemas.ts';

const keeps = ['job_id', 'cron', 'timezone', 'enabled'];

export const scheduleOperations = {
  listSchedules: {
    ...routes.listSchedules,
    tag: 'Schedules',
    summary: 'List schedules: those of config.yaml and those made here',
    scope: 'jobs:read',
    query: Type.Object(
      {
        job_id: text('Schedules of this job'),
        tenant: text('Schedules of this tenant'),
        source: Type.Optional(Type.Enum(['job', 'api'], { description: 'Those of config.yaml, or those made here' })),
        enabled: Type.Optional(Type.Boolean({ description: 'Those that are enabled, or those that are not' })),
        ...page('Rows at most; all of them without it'),
      },
      closed,
    ),
    answers: [json(200, schemas.scheduleList, 'Schedules by job and id')],
    problems: ['validation-error'],
  },
  createSchedule: {
    ...routes.createSchedule,
    tag: 'Schedules',
    summary: 'Make a schedule',
    scope: 'schedules:write',
    body: schemas.scheduleRequest,
    answers: [json(201, schemas.schedule, 'Made')],
    problems: ['validation-error', 'permission-denied', 'job-not-found', 'job-invalid'],
    audit: { action: 'schedule.create', object: 'schedule', keeps },
  },
  previewSchedule: {
    ...routes.previewSchedule,
    tag: 'Schedules',
    summary: 'When a schedule would fire: checks everything, saves nothing',
    scope: 'jobs:read',
    query: Type.Object({ fires: limit(100, 'Fires to show; 10 without it') }, closed),
    body: schemas.scheduleRequest,
    answers: [json(200, schemas.schedulePreview, 'The next fires')],
    problems: ['validation-error', 'permission-denied', 'job-not-found', 'job-invalid'],
    audit: null,
  },
  getSchedule: {
    ...routes.getSchedule,
    tag: 'Schedules',
    summary: 'One schedule: how it went, and when it fires next',
    scope: 'jobs:read',
    answers: [json(200, schemas.schedule, 'The schedule')],
    problems: ['schedule-not-found'],
  },
  replaceSchedule: {
    ...routes.replaceSchedule,
    tag: 'Schedules',
    summary: 'Replace a schedule that was made here',
    scope: 'schedules:write',
    body: schemas.scheduleRequest,
    answers: [json(200, schemas.schedule, 'As it is now')],
    problems: [
      'validation-error',
      'permission-denied',
      'job-not-found',
      'job-invalid',
      'schedule-not-found',
      'source-managed',
    ],
    audit: { action: 'schedule.replace', object: 'schedule', keeps },
  },
  deleteSchedule: {
    ...routes.deleteSchedule,
    tag: 'Schedules',
    summary: 'Remove a schedule that was made here; its runs stay',
    scope: 'schedules:write',
    answers: [{ status: 204, description: 'Removed', content: {} }],
    problems: ['schedule-not-found', 'source-managed'],
    audit: { action: 'schedule.delete', object: 'schedule' },
  },
} as const;
