// The trace that a run belongs to, in the form that callers and scripts use (https://www.w3.org/TR/trace-context/, ADR
// 0072).

/** What a caller says about its own trace. */
export type TraceParent = {
  readonly trace_id: string;
  /** The caller's span, in which the run starts. */
  readonly parent_id: string;
  /** Whether the caller sends its spans to a collector. */
  readonly sampled: boolean;
  /** Data that each tracing system passes on to the next (`tracestate`). */
  readonly state: string | null;
};

/** The trace of a run. `parent_id` is null if the trace begins with the run. */
export type Trace = Omit<TraceParent, 'parent_id'> & { readonly parent_id: string | null };

/** A trace as text. Attempts have it in environment variables, and requests in headers or in `_meta`. */
export type TraceTexts = { readonly traceparent: string; readonly tracestate?: string };

export function toTraceTexts({ trace_id, parent_id, sampled, state }: TraceParent): TraceTexts {
  const traceparent = `00-${trace_id}-${parent_id}-${sampled ? '01' : '00'}`;
  return { traceparent, ...(state !== null && { tracestate: state }) };
}

const parentPattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** The `traceparent` of every known version is shorter than this. */
const longestParent = 512;

/**
 * Reads the trace of a caller. Returns undefined if the caller names no trace, or if the standard does not allow its
 * form. Ignores a `tracestate` that is not valid.
 */
export function readTraceParent(traceparent: unknown, tracestate: unknown): TraceParent | undefined {
  if (typeof traceparent !== 'string' || traceparent.length > longestParent) return undefined;
  const [, version = '', trace_id = '', parent_id = '', flags = '', more] = parentPattern.exec(traceparent) ?? [];
  const isKnown = version === '00' ? more === undefined : version !== '' && version !== 'ff';
  if (!isKnown || isZero(trace_id) || isZero(parent_id)) return undefined;
  return { trace_id, parent_id, sampled: (Number.parseInt(flags, 16) & 1) === 1, state: readState(tracestate) };
}

/**
 * Reads the trace from the environment variables of a script or a pipeline. Returns undefined in the same cases as
 * `readTraceParent`.
 */
export function traceOfEnvironment(env: Readonly<Record<string, string | undefined>>): TraceTexts | undefined {
  const parent = readTraceParent(env.TRACEPARENT, env.TRACESTATE);
  return parent && toTraceTexts(parent);
}

const mostMembers = 32;
const longestState = 512;
/** Matches the members that level 2 of the standard allows, which include all that level 1 allows. */
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
