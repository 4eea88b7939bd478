// The operations on schedules, and their schemas.

import { Type } from 'typebox';
import { catchUps } from '../domain/job.ts';
import { routes } from './routes.ts';
import { runRequest } from './run-schemas.ts';
import { closed, instant, json, limit, nullable, page, text, timestamp } from './schema-parts.ts';

const scheduleRequest = Type.Object(
  {
    job_id: runRequest.properties.job_id,
    cron: Type.String({ maxLength: 256, description: 'Five fields, such as `0 3 * * *`, or a word, such as `@daily`' }),
    timezone: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'A time zone, such as `Europe/Berlin`; by default, that of the instance',
      }),
    ),
    args: runRequest.properties.args,
    catch_up: Type.Optional(
      Type.Enum<[...typeof catchUps]>([...catchUps], {
        default: 'none',
        description: 'Whether missed times start no run, one run for the latest, or one run each',
      }),
    ),
    jitter: Type.Optional(
      Type.String({
        maxLength: 64,
        default: '0s',
        description: 'Each start is delayed by a random time below this, such as `30s`',
      }),
    ),
    enabled: Type.Optional(Type.Boolean({ default: true })),
    tenant: runRequest.properties.tenant,
    name: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 255 }))),
    labels: runRequest.properties.labels,
  },
  { $id: 'ScheduleRequest', additionalProperties: false },
);

const nextFire = Type.Object({
  nominal_at: timestamp,
  local: Type.String({ description: 'The same time in the time zone of the schedule, with its UTC offset' }),
});

const schedulePreview = Type.Object({ next_fires: Type.Array(nextFire) }, { $id: 'SchedulePreview' });

const schedule = Type.Object(
  {
    id: Type.String(),
    name: nullable(Type.String()),
    job_id: Type.String(),
    tenant: Type.String(),
    source: Type.Enum(['job', 'api']),
    cron: Type.String(),
    timezone: Type.String(),
    args: Type.Record(Type.String(), Type.Unknown()),
    catch_up: Type.Enum<[...typeof catchUps]>([...catchUps]),
    jitter: Type.String(),
    enabled: Type.Boolean(),
    held: Type.Boolean({ description: 'Whether it starts no runs until it is released' }),
    labels: Type.Record(Type.String(), Type.String()),
    next_fires: Type.Array(nextFire),
    last_fire: nullable(Type.Object({ nominal_at: timestamp, at: timestamp, run_id: Type.String() })),
    last_error: nullable(
      Type.Object({ nominal_at: timestamp, at: timestamp, type: Type.String(), detail: Type.String() }),
    ),
    created_at: nullable(timestamp),
    updated_at: nullable(timestamp),
    created_by: nullable(Type.String()),
  },
  { $id: 'Schedule' },
);

const scheduleList = Type.Object(
  { schedules: Type.Array(schedule), total: Type.Integer(), next_cursor: nullable(Type.String()) },
  { $id: 'ScheduleList' },
);

const releaseRequest = Type.Object(
  { after: instant('The first time that counts is the one after this instant; by default, after now') },
  { $id: 'ScheduleReleaseRequest', additionalProperties: false },
);

const keeps = ['job_id', 'cron', 'timezone', 'enabled'];

export const scheduleOperations = {
  listSchedules: {
    ...routes.listSchedules,
    tag: 'Schedules',
    summary: 'List schedules, both those of a config.yaml and those made by the API',
    scope: 'jobs:read',
    query: Type.Object(
      {
        job_id: text('Only schedules of this job'),
        tenant: text('Only schedules of this tenant'),
        source: Type.Optional(
          Type.Enum(['job', 'api'], {
            description: 'Only those of a config.yaml (`job`), or only those made by the API (`api`)',
          }),
        ),
        enabled: Type.Optional(Type.Boolean({ description: 'Only enabled schedules, or only disabled ones' })),
        ...page('How many schedules to return at most; all by default'),
      },
      closed,
    ),
    answers: [json(200, scheduleList, 'Schedules, sorted by job and id')],
    problems: ['validation-error'],
  },
  createSchedule: {
    ...routes.createSchedule,
    tag: 'Schedules',
    summary: 'Create a schedule',
    scope: 'schedules:write',
    body: scheduleRequest,
    answers: [json(201, schedule, 'Created')],
    problems: ['validation-error', 'permission-denied', 'job-not-found', 'job-invalid'],
    audit: { action: 'schedule.create', object: 'schedule', keeps },
  },
  previewSchedule: {
    ...routes.previewSchedule,
    tag: 'Schedules',
    summary: 'Preview a schedule: checks everything and says when it would fire, but saves nothing',
    scope: 'jobs:read',
    query: Type.Object({ fires: limit(100, 'How many fires to show; 10 by default') }, closed),
    body: scheduleRequest,
    answers: [json(200, schedulePreview, 'The next fires')],
    problems: ['validation-error', 'permission-denied', 'job-not-found', 'job-invalid'],
    audit: null,
  },
  getSchedule: {
    ...routes.getSchedule,
    tag: 'Schedules',
    summary: 'Get a schedule: its last fire, its last error and its next fires',
    scope: 'jobs:read',
    answers: [json(200, schedule, 'The schedule')],
    problems: ['schedule-not-found'],
  },
  replaceSchedule: {
    ...routes.replaceSchedule,
    tag: 'Schedules',
    summary: 'Replace a schedule that was made by the API',
    scope: 'schedules:write',
    body: scheduleRequest,
    answers: [json(200, schedule, 'The new schedule')],
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
    summary: 'Delete a schedule that was made by the API; its runs are kept',
    scope: 'schedules:write',
    answers: [{ status: 204, description: 'Deleted', content: {} }],
    problems: ['schedule-not-found', 'source-managed'],
    audit: { action: 'schedule.delete', object: 'schedule' },
  },
  holdSchedule: {
    ...routes.holdSchedule,
    tag: 'Schedules',
    summary: 'Hold a schedule, also one of a config.yaml: it starts no runs until it is released',
    scope: 'schedules:write',
    answers: [json(200, schedule, 'The schedule, now held')],
    problems: ['schedule-not-found'],
    audit: { action: 'schedule.hold', object: 'schedule' },
  },
  releaseSchedule: {
    ...routes.releaseSchedule,
    tag: 'Schedules',
    summary: 'Release a held schedule, from its next time on',
    scope: 'schedules:write',
    body: releaseRequest,
    answers: [json(200, schedule, 'The schedule, no longer held')],
    problems: ['validation-error', 'schedule-not-found'],
    audit: { action: 'schedule.release', object: 'schedule', keeps: ['after'] },
  },
} as const;
