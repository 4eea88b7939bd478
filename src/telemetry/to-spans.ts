// Makes the spans of a run that has ended: the run, its wait for a slot, its steps, and their attempts. A span contains
// nothing from arguments, results, logs or messages (ADR 0072).

import { SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import type { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { TracedAttempt, TracedRun } from '../store/exports.ts';
import { attemptSpanId, queueSpanId, runSpanId, stepSpanId } from '../store/run/span-ids.ts';
import type { Origin } from './origin.ts';

export type Span = Parameters<typeof ProtobufTraceSerializer.serializeRequest>[0][number];
type Attributes = Span['attributes'];

export function toSpans(run: TracedRun, attempts: readonly TracedAttempt[], origin: Origin): readonly Span[] {
  return spansOf(run, attempts).map((span) => ({ ...span, ...origin }));
}

type Bare = Omit<Span, 'resource' | 'instrumentationScope'>;
type Ending = { readonly status: string; readonly reason: string | null; readonly exitCode: number | null };

function spansOf(run: TracedRun, attempts: readonly TracedAttempt[]): Bare[] {
  const { runId, createdAtMs, finishedAtMs, before } = run;
  const startedAtMs = run.startedAtMs ?? finishedAtMs;
  const runSpan = toBare(run, {
    id: runSpanId(runId),
    parentId: run.trace.parent_id,
    name: `run ${run.jobId}`,
    kind: SpanKind.CONSUMER,
    from: createdAtMs,
    to: finishedAtMs,
    ending: run,
    more: {
      'flwd.job_id': run.jobId,
      'flwd.tenant': run.tenant,
      'flwd.revision': run.revision,
      'flwd.trigger': run.trigger,
    },
  });
  const links = before
    ? [
        {
          context: { traceId: before.traceId, spanId: runSpanId(before.runId), traceFlags: TraceFlags.SAMPLED },
          attributes: { 'flwd.run_id': before.runId },
        },
      ]
    : [];
  const queue = toBare(run, {
    id: queueSpanId(runId),
    parentId: runSpanId(runId),
    name: 'queue',
    from: createdAtMs,
    to: startedAtMs,
  });
  return [{ ...runSpan, links }, ...(startedAtMs > createdAtMs ? [queue] : []), ...stepSpans(run, attempts)];
}

function stepSpans(run: TracedRun, all: readonly TracedAttempt[]): Bare[] {
  // A rerun also has attempts of steps that it kept from the earlier run. They are left out.
  const own = all.filter(
    ({ startedAtMs, finishedAtMs }) => startedAtMs !== null && (finishedAtMs ?? startedAtMs) >= run.createdAtMs,
  );
  return [...Map.groupBy(own, ({ stepId }) => stepId)].flatMap(([stepId, attempts]) => {
    const last = attempts.at(-1);
    if (!last) return [];
    const { instanceOf, kind } = last;
    const step = toBare(run, {
      id: stepSpanId(run.runId, stepId),
      parentId: instanceOf === null ? runSpanId(run.runId) : stepSpanId(run.runId, instanceOf),
      name: `step ${stepId}`,
      from: Math.min(...attempts.map((one) => one.startedAtMs ?? run.createdAtMs)),
      to: Math.max(...attempts.map((one) => endOf(one, run))),
      ending: last,
      more: { 'flwd.step_id': stepId, 'flwd.step_kind': kind },
    });
    return kind === 'command' || kind === 'job' ? [step, ...attempts.map((one) => attemptSpan(run, one))] : [step];
  });
}

function attemptSpan(run: TracedRun, one: TracedAttempt): Bare {
  const { stepId, attempt } = one;
  return toBare(run, {
    id: attemptSpanId(run.runId, stepId, attempt),
    parentId: stepSpanId(run.runId, stepId),
    name: `attempt ${attempt}`,
    from: one.startedAtMs ?? run.createdAtMs,
    to: endOf(one, run),
    ending: one,
    more: { 'flwd.step_id': stepId, 'flwd.attempt': attempt },
  });
}

function endOf({ finishedAtMs }: TracedAttempt, run: TracedRun): number {
  return finishedAtMs ?? run.finishedAtMs;
}

function toBare(
  { runId, trace }: TracedRun,
  o: {
    readonly id: string;
    readonly parentId: string | null;
    readonly name: string;
    readonly kind?: Span['kind'];
    readonly from: number;
    readonly to: number;
    readonly ending?: Ending;
    readonly more?: Attributes;
  },
): Bare {
  const { ending, more, parentId } = o;
  const context = {
    traceId: trace.trace_id,
    traceFlags: TraceFlags.SAMPLED,
    ...(trace.state !== null && toState(trace.state)),
  };
  const isFailed = ending?.status === 'failed';
  return {
    name: o.name,
    kind: o.kind ?? SpanKind.INTERNAL,
    spanContext: () => ({ ...context, spanId: o.id }),
    ...(parentId !== null && { parentSpanContext: { ...context, spanId: parentId } }),
    startTime: toTime(o.from),
    endTime: toTime(Math.max(o.from, o.to)),
    duration: toTime(Math.max(0, o.to - o.from)),
    status: isFailed
      ? { code: SpanStatusCode.ERROR, message: ending.reason ?? 'failed' }
      : { code: SpanStatusCode.UNSET },
    attributes: {
      'flwd.run_id': runId,
      ...(ending && { 'flwd.status': ending.status }),
      ...(ending && ending.reason !== null && { 'flwd.reason': ending.reason }),
      ...(ending && ending.exitCode !== null && { 'flwd.exit_code': ending.exitCode }),
      ...more,
    },
    links: [],
    events: [],
    ended: true,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

type SpanState = NonNullable<ReturnType<Span['spanContext']>['traceState']>;

/** Makes a trace state in which only `serialize` works, because the exporter calls nothing else. */
function toState(text: string): { traceState: SpanState } {
  const traceState: SpanState = {
    get: () => undefined,
    set: () => traceState,
    unset: () => traceState,
    serialize: () => text,
  };
  return { traceState };
}

function toTime(ms: number): Span['startTime'] {
  return [Math.floor(ms / 1000), (ms % 1000) * 1_000_000];
}
