// The operations on logs, and the schemas of a search.

import { Type } from 'typebox';
import { logLevels } from '../domain/log-line.ts';
import { runStatuses } from '../domain/run.ts';
import { logStream } from './event-schemas.ts';
import { routes } from './routes.ts';
import * as runSchemas from './run-schemas.ts';
import {
  cursor,
  instant,
  json,
  lastEventId,
  limit,
  literals,
  named,
  oneOf,
  queryOf,
  text,
  textOrNull,
  timeOrNull,
  timestamp,
} from './schema-parts.ts';

const foundLogs = named('FoundLogs', {
  hits: Type.Array(
    Type.Object({
      run_id: Type.String(),
      job_id: Type.String(),
      seq: Type.Integer({ description: 'The number of the line in the log of its run' }),
      timestamp,
      level: literals(logLevels),
      message: Type.String({ description: 'The line; if it is long, only the part around the text' }),
    }),
    {
      description:
        'Lines of runs in progress come first, then those of the run that ended last, and so on; within a run, the last line comes first',
    },
  ),
  next_cursor: textOrNull('Where the search continues; null: it is complete'),
  searched: Type.Object({
    from: timeOrNull(
      'The search has covered the logs of all runs that ended since this time; null: it has covered all logs',
    ),
    bytes: Type.Integer({ description: 'How many bytes of log flwd read for this answer' }),
    segments: Type.Integer({ description: 'How many segments of logs flwd read for this answer' }),
    unreadable: Type.Integer({
      description: 'How many segments flwd could not read; the logs of their runs say which',
    }),
  }),
});

export const logOperations = {
  searchLogs: {
    ...routes.searchLogs,
    tag: 'Runs',
    summary: 'Search the logs of all runs',
    scope: 'runs:read',
    query: queryOf({
      q: text('Only lines that contain this text'),
      job_id: text('Only logs of runs of this job'),
      status: oneOf(runStatuses, 'Only logs of runs with this status'),
      tenant: text('Only logs of runs of this tenant'),
      level: oneOf(logLevels, 'Only lines of this level or a more severe one'),
      since: instant('Only lines from this time or later'),
      until: instant('Only lines before this time'),
      limit: limit(1000, 'How many lines to return at most; 100 by default'),
      cursor,
    }),
    answers: [
      json(200, foundLogs, 'Lines. An answer takes at most 2 s, so it may have no line and still have a `next_cursor`'),
    ],
    problems: ['validation-error'],
  },
  getRunLogs: {
    ...routes.getRunLogs,
    tag: 'Runs',
    summary: 'Get the log of a run: one page, the whole text, or a live stream',
    scope: 'runs:read',
    query: queryOf({
      follow: Type.Optional(Type.Boolean({ description: 'Stream the existing lines, then new ones as they come' })),
      since: instant('Only lines later than this time'),
      limit: limit(10_000, 'How many lines to return at most; 1000 by default'),
      cursor,
      before: limit(
        Number.MAX_SAFE_INTEGER,
        'Only lines before the line with this `seq`; with `tail`, the last lines before it',
      ),
      tail: limit(10_000, 'Only this many lines from the end'),
      level: oneOf(logLevels, 'Only lines of this level or a more severe one'),
      step_id: text('Only lines of this step and its instances'),
      attempt: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Only lines of this attempt' }),
      ),
      q: text('Only lines that contain this text'),
      last_event_id: text('Same as the header `Last-Event-ID`'),
    }),
    headers: lastEventId,
    answers: [
      {
        status: 200,
        description: 'Lines, oldest first',
        content: {
          'application/json': runSchemas.logPage,
          'text/plain': Type.String(),
          'application/x-ndjson': runSchemas.logLine,
          'text/event-stream': logStream,
        },
      },
    ],
    problems: ['validation-error', 'run-not-found', 'log-damaged'],
  },
} as const;
