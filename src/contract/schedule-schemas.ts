// Schedules as JSON Schema (TypeBox).

import { type TSchema, Type } from 'typebox';
import { catchUps } from '../domain/job.ts';
import { runRequest } from './run-schemas.ts';

const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const timestamp = Type.String({ format: 'date-time' });

export const scheduleRequest = Type.Object(
  {
    job_id: runRequest.properties.job_id,
    cron: Type.String({ maxLength: 256, description: 'Five fields, such as `0 3 * * *`' }),
    timezone: Type.Optional(Type.String({ maxLength: 64, default: 'UTC', description: 'Such as `Europe/Berlin`' })),
    args: runRequest.properties.args,
    catch_up: Type.Optional(
      Type.Enum<[...typeof catchUps]>([...catchUps], {
        default: 'none',
        description: 'For times that were missed: no run, one for the newest, or one for each',
      }),
    ),
    jitter: Type.Optional(
      Type.String({ maxLength: 64, default: '0s', description: 'A start is delayed by less than this, such as `30s`' }),
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
  local: Type.String({ description: 'The same in the schedule’s time zone, with its offset' }),
});

export const schedulePreview = Type.Object({ next_fires: Type.Array(nextFire) }, { $id: 'SchedulePreview' });

export const schedule = Type.Object(
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

export const scheduleList = Type.Object(
  { schedules: Type.Array(schedule), total: Type.Integer(), next_cursor: nullable(Type.String()) },
  { $id: 'ScheduleList' },
);
