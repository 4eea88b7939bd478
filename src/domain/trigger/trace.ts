// The trace that a run belongs to, as callers and scripts write it (https://www.w3.org/TR/trace-context/, ADR 0072).

/** What a caller says about its own trace. */
export type TraceParent = {
  readonly trace_id: string;
  /** The span that starts the run. */
  readonly parent_id: string;
  /** Whether the caller sends its spans to a collector. */
  readonly sampled: boolean;
  /** What tracing systems pass on along the trace. */
  readonly state: string | null;
};

/** `parent_id` is null if the trace begins with the run. */
export type Trace = Omit<TraceParent, 'parent_id'> & { readonly parent_id: string | null };

/** The form of a trace in the variables of an attempt, and in the headers and `_meta` of requests. */
export type TraceTexts = { readonly traceparent: string; readonly tracestate?: string };

export function toTraceTexts({ trace_id, parent_id, sampled, state }: TraceParent): TraceTexts {
  const traceparent = `00-${trace_id}-${parent_id}-${sampled ? '01' : '00'}`;
  return { traceparent, ...(state !== null && { tracestate: state }) };
}

const parentPattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** No known version has a longer `traceparent`. */
const longestParent = 512;

/**
 * Returns undefined if the caller names no trace, or names it in a form that the standard does not allow. Leaves out a
 * `tracestate` that is wrong.
 */
export function readTraceParent(traceparent: unknown, tracestate: unknown): TraceParent | undefined {
  if (typeof traceparent !== 'string' || traceparent.length > longestParent) return undefined;
  const [, version = '', trace_id = '', parent_id = '', flags = '', more] = parentPattern.exec(traceparent) ?? [];
  const isKnown = version === '00' ? more === undefined : version !== '' && version !== 'ff';
  if (!isKnown || isZero(trace_id) || isZero(parent_id)) return undefined;
  return { trace_id, parent_id, sampled: (Number.parseInt(flags, 16) & 1) === 1, state: readState(tracestate) };
}

/** Reads the trace from the variables that scripts and pipelines have; undefined as in `readTraceParent`. */
export function traceOfEnvironment(env: Readonly<Record<string, string | undefined>>): TraceTexts | undefined {
  const parent = readTraceParent(env.TRACEPARENT, env.TRACESTATE);
  return parent && toTraceTexts(parent);
}

const mostMembers = 32;
const longestState = 512;
/** Matches the keys and values of level 2 of the standard, which include those of level 1. */
const member = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

function readState(text: unknown): string | null {
  if (typeof text !== 'string' || text.length > longestState) return null;
  const members = text
    .split(',')
    .map((one) => one.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((one) => one !== '');
  const keys = new Set(members.map((one) => one.split('=', 1)[0]));
  if (members.length === 0 || members.length > mostMembers || keys.size < members.length) return null;
  return members.every((one) => member.test(one)) ? members.join(',') : null;
}

function isZero(id: string): boolean {
  return /^0*$/.test(id);
}
