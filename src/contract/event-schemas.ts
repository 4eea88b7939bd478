// The schemas of events. Streams send events as server-sent events, and other answers contain them as JSON lines.

import { type TSchema, Type } from 'typebox';
import { type EventType, eventTypes } from '../domain/event.ts';
import { triggerTypes } from '../domain/run.ts';
import { logLine } from './run-schemas.ts';
import { literals, named, nullable, runStatus, textOrNull, timestamp } from './schema-parts.ts';

type Fields = Parameters<typeof Type.Object>[0];

const ended = literals(['success', 'failed', 'cancelled'] as const);
const attempt = Type.Integer();
const exitCode = nullable(Type.Integer());
const reason = textOrNull('Why the run or the step did not succeed; null if it succeeded');
const message = Type.Optional(Type.String());
const hint = Type.Optional(Type.String({ description: 'What to change, if flwd knows it' }));
const stepId = Type.String();

const fieldsOf: Readonly<Record<EventType, Fields>> = {
  'run.created': { status: Type.Literal('pending'), trigger: literals(triggerTypes) },
  'run.started': {
    status: Type.Literal('running'),
    attempt,
    waited_ms: Type.Integer({ description: 'The time from the run’s creation to its start' }),
  },
  'run.output': logLine.properties,
  'run.finished': {
    status: ended,
    reason,
    exit_code: exitCode,
    attempt,
    duration_ms: nullable(
      Type.Integer({ description: 'The time from the run’s start to its end; null if it never started' }),
    ),
    message,
    hint,
  },
  'step.started': { status: Type.Literal('running'), attempt, step_id: stepId, message },
  'step.output': logLine.properties,
  'step.finished': {
    status: ended,
    reason,
    exit_code: exitCode,
    attempt,
    step_id: stepId,
    message,
    hint,
  },
  'run.waiting': {
    status: literals(['pending', 'running'] as const),
    message: Type.Optional(Type.String({ description: 'Why the run waits; absent: it no longer waits' })),
  },
  'run.progress': { percent: Type.Number(), message: Type.String() },
  'run.cancelling': {
    status: Type.Optional(literals(['pending', 'running'] as const)),
    signal: Type.Optional(Type.String({ description: 'The signal that was sent to the processes of a step' })),
    by: Type.Optional(Type.String({ description: 'Who requested the cancel, as in `cancel_requested_by` of the run' })),
    message,
    step_id: Type.Optional(stepId),
  },
  'step.waiting_approval': {
    status: Type.Literal('waiting_approval'),
    attempt,
    step_id: stepId,
    message: Type.Optional(Type.String({ description: 'The question' })),
  },
  'step.skipped': {
    status: Type.Literal('skipped'),
    reason: Type.String(),
    message: Type.String(),
    step_id: stepId,
  },
  'step.retrying': {
    attempt: Type.Integer({ description: 'The number of the next attempt' }),
    message: Type.String(),
    step_id: stepId,
  },
};

const events = eventTypes.map((type) => {
  const about = { run_id: Type.String(), job_id: Type.String(), tenant: Type.String(), timestamp };
  return { type, data: named(`${toName(type)}Event`, { ...about, ...fieldsOf[type] }) };
});

/** For example, `step.waiting_approval` becomes `StepWaitingApproval`. */
function toName(type: EventType): string {
  return type.replaceAll(/(?:^|[._])(\w)/g, (_, letter: string) => letter.toUpperCase());
}

const jsonText = (schema: TSchema) =>
  Type.Unsafe<string>({ type: 'string', contentMediaType: 'application/json', contentSchema: schema });

/** JSON Schema describes a stream as a string, and `contentSchema` describes the frames in it. */
const streamOf = (frame: TSchema, description: string) =>
  Type.Unsafe<string>({
    type: 'string',
    description,
    contentMediaType: 'text/event-stream',
    contentSchema: Type.Array(frame),
  });

const id = Type.String({
  description: 'To resume the stream, send the last `id` that you received as `Last-Event-ID`',
});

const runEventFrame = Type.Union(
  events.map(({ type, data }) => Type.Object({ id, event: Type.Literal(type), data: jsonText(data) })),
  { $id: 'RunEventFrame' },
);

/** One line of an answer in JSON lines: the data of an event, with the event's id and name. */
export const runEventLine = Type.Union(
  events.map(({ type, data }) =>
    Type.Intersect([Type.Object({ id: Type.Integer(), event: Type.Literal(type) }), data]),
  ),
  { $id: 'RunEventLine' },
);

const { seq: _, ...lineFields } = logLine.properties;
const logFrame = Type.Union(
  [
    Type.Object({
      id: Type.String({
        description:
          'The `seq` of the line. To resume the stream, send the last `id` that you received as `Last-Event-ID`',
      }),
      event: Type.Literal('log'),
      data: jsonText(named('LogEvent', lineFields)),
    }),
    Type.Object({
      event: Type.Literal('end'),
      data: jsonText(named('LogEndEvent', { run_id: Type.String(), status: nullable(runStatus) })),
    }),
  ],
  { $id: 'LogFrame' },
);

export const runEventStream = streamOf(
  runEventFrame,
  'Server-sent events. A frame that has only an `id` says how far the stream has come. Lines that begin with `:` keep the connection open.',
);
export const logStream = streamOf(
  logFrame,
  'Server-sent events: `log` for each line, and `end` when the run has ended. Lines that begin with `:` keep the connection open.',
);
