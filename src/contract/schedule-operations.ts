// The operations on schedules, and their schemas.

import { Type } from 'typebox';
import { secretNamePattern } from '../domain/access/secret-name.ts';
import { catchUps } from '../domain/job.ts';
import { daysPattern } from '../domain/schedule.ts';
import { routes } from './routes.ts';
import { runCreated, runRequest, startProblems } from './run-schemas.ts';
import {
  closed,
  createdHeaders,
  denial,
  idempotencyKey,
  instant,
  json,
  limit,
  literals,
  named,
  nullable,
  page,
  queryOf,
  request,
  runStatus,
  text,
  textOrNull,
  timeOrNull,
  timestamp,
} from './schema-parts.ts';

const days = (description: string) => {
  const day = Type.String({ pattern: daysPattern });
  return Type.Optional(
    Type.Union([day, Type.Array(day, { minItems: 1, maxItems: 1_000, uniqueItems: true })], { description }),
  );
};

const scheduleRequest = request('ScheduleRequest', {
  job_id: runRequest.properties.job_id,
  cron: Type.Optional(
    Type.String({ maxLength: 256, description: 'Five fields, such as `0 3 * * *`, or a word, such as `@daily`' }),
  ),
  at: instant('The single time of a schedule without `cron`, such as `2026-12-01T09:00:00+01:00`'),
  calendar: days('The schedule fires only on these days: dates, or names of calendars in `flwd.yaml`'),
  except: days('The schedule does not fire on these days: dates, or names of calendars in `flwd.yaml`'),
  timezone: Type.Optional(
    Type.String({
      maxLength: 64,
      description: 'A time zone, such as `Europe/Berlin`; by default, the zone of the instance',
    }),
  ),
  args: runRequest.properties.args,
  catch_up: Type.Optional(
    Type.Enum<[...typeof catchUps]>([...catchUps], {
      default: 'none',
      description: 'Which missed times start a run: `none` of them, only the `last` one, or `all`',
    }),
  ),
  jitter: Type.Optional(
    Type.String({
      maxLength: 64,
      default: '0s',
      description: 'flwd delays each start by a random time shorter than this, such as `30s`',
    }),
  ),
  enabled: Type.Optional(Type.Boolean({ default: true })),
  tenant: runRequest.properties.tenant,
  name: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 255 }))),
  labels: runRequest.properties.labels,
  heartbeat: Type.Optional(
    nullable(
      Type.Union(
        [
          Type.String({ maxLength: 2000 }),
          Type.Object({ secret: Type.String({ pattern: secretNamePattern }) }, closed),
        ],
        {
          description:
            'An http or https URL to call after each success, or the stored secret that contains it. Without this ' +
            'member, a change keeps the old address; null removes it',
        },
      ),
    ),
  ),
});

export const nextFire = Type.Object({
  nominal_at: timestamp,
  local: Type.String({ description: 'The same time in the time zone of the schedule, with its UTC offset' }),
});

const clockChange = nullable(
  Type.Object(
    { at: timestamp, text: Type.String({ description: 'What the change does to the schedule, as a sentence' }) },
    { description: 'The next change to or from daylight saving time; null if it does not affect the schedule' },
  ),
);

const sentence = Type.String({ description: 'The pattern in words, such as `Every day at 02:00`' });

const schedulePreview = named('SchedulePreview', {
  sentence,
  next_fires: Type.Array(nextFire),
  clock_change: clockChange,
});

const scheduleRun = named('ScheduleRun', {
  run_id: Type.String(),
  status: runStatus,
  created_at: timestamp,
  started_at: nullable(timestamp),
  finished_at: nullable(timestamp),
});

const schedule = named('Schedule', {
  id: Type.String(),
  name: nullable(Type.String()),
  job_id: Type.String(),
  tenant: Type.String(),
  source: Type.Enum(['job', 'api']),
  defined_in: nullable(
    Type.Object(
      { source: Type.String(), file: Type.String({ description: 'The path, relative to the source' }) },
      { description: 'The file that defines the schedule; null if it was created by the API' },
    ),
  ),
  cron: nullable(Type.String()),
  at: timeOrNull('The single time of a schedule without `cron`'),
  calendar: nullable(Type.Array(Type.String(), { description: 'The schedule fires only on these days' })),
  except: Type.Array(Type.String(), { description: 'The schedule does not fire on these days' }),
  sentence,
  timezone: Type.String(),
  args: Type.Record(Type.String(), Type.Unknown()),
  catch_up: Type.Enum<[...typeof catchUps]>([...catchUps]),
  jitter: Type.String(),
  enabled: Type.Boolean(),
  held: Type.Boolean({ description: 'Whether the schedule starts no runs until it is released' }),
  paused: Type.Boolean({ description: 'Whether all schedules of its tenant are paused' }),
  done: Type.Boolean({
    description: 'Whether the schedule has no time to come, for example because its `at` has passed',
  }),
  denied: denial(
    'the schedule starts no runs',
    'its job is from an untrusted source, flwd.yaml does not define one of its calendars, or the limited token that created the schedule is no longer valid',
  ),
  missing_secrets: Type.Array(Type.String(), {
    description: 'The secrets that its runs need, but that are not stored. Empty if the caller lacks `runs:write`',
  }),
  labels: Type.Record(Type.String(), Type.String()),
  next_fires: Type.Array(nextFire),
  clock_change: clockChange,
  last_run: nullable(
    Type.Object(scheduleRun.properties, {
      description: 'The newest run of the schedule; null before the first run, or if the caller lacks `runs:read`',
    }),
  ),
  last_fire: nullable(Type.Object({ nominal_at: timestamp, at: timestamp, run_id: Type.String() })),
  last_error: nullable(
    Type.Object({ nominal_at: timestamp, at: timestamp, type: Type.String(), detail: Type.String() }),
  ),
  heartbeat: nullable(
    Type.Object(
      {
        origin: textOrNull('The address without its path; null if a stored secret contains it'),
        secret: textOrNull('The stored secret that contains the address'),
        last_success_at: timeOrNull('When a run last succeeded'),
        last_called_at: timeOrNull('When a call last worked'),
        last_failed_at: timeOrNull('When a call last failed'),
        last_error: textOrNull('Why that call failed'),
        next_call_at: timeOrNull('When flwd makes the next call; null: no call is due'),
      },
      { description: 'The address that flwd calls after each success; null: the schedule calls no address' },
    ),
  ),
  created_at: nullable(timestamp),
  updated_at: nullable(timestamp),
  created_by: nullable(Type.String()),
});

const pauseInForce = Type.Object({
  tenant: Type.String({ description: '`*` means the schedules of every tenant' }),
  by_operator: Type.Boolean({ description: 'Whether `scheduler.schedules_paused` in `flwd.yaml` causes this pause' }),
  by: textOrNull('Who paused the schedules; null if `flwd.yaml` causes the pause, or if the caller may not know'),
  since: timeOrNull('When the pause began; null if `flwd.yaml` causes it'),
  may_resume: Type.Boolean({ description: 'Whether you may end this pause' }),
});

const scheduleList = named('ScheduleList', {
  schedules: Type.Array(schedule),
  total: Type.Integer(),
  next_cursor: nullable(Type.String()),
  pauses: Type.Array(pauseInForce, { description: 'The pauses in force for tenants that the caller sees' }),
  may_pause: Type.Boolean({
    description: 'Whether you may pause all schedules, and this pause is not in force yet',
  }),
});

const ofSchedule = {
  schedule_id: Type.String(),
  name: nullable(Type.String()),
  job_id: Type.String(),
  tenant: Type.String(),
};

const scheduleFire = named('ScheduleFire', {
  ...ofSchedule,
  nominal_at: timestamp,
  local: nextFire.properties.local,
  state: literals(['started', 'missed', 'due', 'upcoming'] as const),
  late: Type.Boolean({
    description: 'Whether the run started more than a minute late, or has been due for more than a minute',
  }),
  run: nullable(scheduleRun),
  detail: textOrNull('Why there is no run, if that is known'),
});

const frequentFires = named('FrequentFires', {
  ...ofSchedule,
  sentence,
  next_at: nullable(timestamp),
  runs: Type.Object(
    {
      pending: Type.Integer(),
      running: Type.Integer(),
      success: Type.Integer(),
      failed: Type.Integer(),
      cancelled: Type.Integer(),
    },
    { description: 'How many runs of the schedule have each status' },
  ),
  missed: Type.Integer(),
  last_missed_at: nullable(timestamp),
  counted_since: {
    ...timestamp,
    description: 'Runs are counted from this time on; it is later than `since` if there were too many runs to count',
  },
});

const scheduleFires = named('ScheduleFires', {
  since: timestamp,
  until: timestamp,
  fires: Type.Array(scheduleFire, { description: 'Sorted by time' }),
  frequent: Type.Array(frequentFires, {
    description: 'Schedules that fire 16 times or more within a day: how many runs they started, instead of each time',
  }),
  complete: Type.Boolean({
    description: 'false: there are more times; ask again with the last `nominal_at` as `since`',
  }),
});

const releaseRequest = request('ScheduleReleaseRequest', {
  after: instant('The schedule starts again with its first time after this instant; by default, now'),
});

const pauseRequest = request('SchedulePauseRequest', { tenant: runRequest.properties.tenant });

const schedulePause = named('SchedulePause', {
  tenant: Type.String({ description: '`*` means the schedules of every tenant' }),
  paused: Type.Boolean({ description: 'Whether these schedules are paused now' }),
  by_operator: Type.Boolean({
    description: 'Whether `scheduler.schedules_paused` in `flwd.yaml` pauses all schedules',
  }),
});

const keeps = ['job_id', 'cron', 'at', 'timezone', 'enabled'];

export const scheduleOperations = {
  listSchedules: {
    ...routes.listSchedules,
    tag: 'Schedules',
    summary: 'List schedules, both those of a config.yaml and those created by the API',
    scope: 'jobs:read',
    query: queryOf({
      job_id: text('Only schedules of this job'),
      tenant: text('Only schedules of this tenant'),
      source: Type.Optional(
        Type.Enum(['job', 'api'], {
          description: '`job`: only schedules of a config.yaml; `api`: only schedules created by the API',
        }),
      ),
      enabled: Type.Optional(Type.Boolean({ description: 'true: only enabled schedules; false: only disabled ones' })),
      ...page('How many schedules to return at most; all by default'),
    }),
    answers: [json(200, scheduleList, 'Schedules, sorted by job and id')],
    problems: ['validation-error'],
  },
  createSchedule: {
    ...routes.createSchedule,
    tag: 'Schedules',
    summary: 'Create a schedule',
    scope: 'schedules:write',
    body: scheduleRequest,
    answers: [json(201, schedule, 'Created', ['Location'])],
    problems: ['validation-error', 'permission-denied', 'job-not-found', 'job-invalid', 'source-untrusted'],
    audit: { action: 'schedule.create', object: 'schedule', keeps },
  },
  previewSchedule: {
    ...routes.previewSchedule,
    tag: 'Schedules',
    summary: 'Preview a schedule: check the request and get the times at which it would fire, without saving anything',
    scope: 'jobs:read',
    query: queryOf({ fires: limit(100, 'How many times to return; 10 by default') }),
    body: scheduleRequest,
    answers: [json(200, schedulePreview, 'The next times')],
    problems: ['validation-error', 'permission-denied', 'job-not-found', 'job-invalid', 'source-untrusted'],
    audit: null,
  },
  listScheduleFires: {
    ...routes.listScheduleFires,
    tag: 'Schedules',
    summary: 'List what the schedules started, missed and will start between two times',
    scope: 'runs:read',
    query: queryOf({
      since: instant('Only times at or after this one; by default, now'),
      until: instant('Only times before this one; by default, 24 hours after `since`; at most 31 days after it'),
      job_id: text('Only schedules of this job'),
      tenant: text('Only schedules of this tenant'),
      limit: limit(5_000, 'How many times to return at most; 2000 by default'),
    }),
    answers: [json(200, scheduleFires, 'Past and future times')],
    problems: ['validation-error', 'permission-denied'],
  },
  pauseSchedules: {
    ...routes.pauseSchedules,
    tag: 'Schedules',
    summary:
      'Pause all schedules of the caller’s tenant, or of every tenant: they start no runs until they are resumed',
    scope: 'schedules:write',
    body: pauseRequest,
    answers: [json(200, schedulePause, 'Paused')],
    problems: ['validation-error', 'permission-denied'],
    audit: { action: 'schedule.pause', object: 'schedule' },
  },
  resumeSchedules: {
    ...routes.resumeSchedules,
    tag: 'Schedules',
    summary: 'Resume paused schedules: they start runs again at their next times',
    scope: 'schedules:write',
    body: pauseRequest,
    answers: [json(200, schedulePause, 'Resumed; `paused` says whether another pause is still in force')],
    problems: ['validation-error', 'permission-denied'],
    audit: { action: 'schedule.resume', object: 'schedule' },
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
    summary: 'Replace a schedule that was created by the API',
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
    summary: 'Delete a schedule that was created by the API; its runs are kept',
    scope: 'schedules:write',
    answers: [{ status: 204, description: 'Deleted', content: {} }],
    problems: ['schedule-not-found', 'source-managed'],
    audit: { action: 'schedule.delete', object: 'schedule' },
  },
  holdSchedule: {
    ...routes.holdSchedule,
    tag: 'Schedules',
    summary: 'Hold a schedule, including one of a config.yaml: it starts no runs until it is released',
    scope: 'schedules:write',
    answers: [json(200, schedule, 'The schedule, now held')],
    problems: ['schedule-not-found'],
    audit: { action: 'schedule.hold', object: 'schedule' },
  },
  releaseSchedule: {
    ...routes.releaseSchedule,
    tag: 'Schedules',
    summary: 'Release a held schedule: it starts runs again at its next time',
    scope: 'schedules:write',
    body: releaseRequest,
    answers: [json(200, schedule, 'The schedule, no longer held')],
    problems: ['validation-error', 'schedule-not-found'],
    audit: { action: 'schedule.release', object: 'schedule', keeps: ['after'] },
  },
  runSchedule: {
    ...routes.runSchedule,
    tag: 'Schedules',
    summary: 'Start a run now with the arguments of a schedule, even if the schedule is held or disabled',
    scope: 'runs:write',
    headers: idempotencyKey,
    answers: [json(201, runCreated, 'Created', createdHeaders)],
    problems: ['schedule-not-found', 'validation-error', ...startProblems],
    audit: { action: 'run.create', object: 'run' },
  },
} as const;
