// A test that belongs to a job: how to run the job, and what to expect of the run.

import type { JsonObject, JsonValue, SecurityProfile } from './job.ts';
import type { RunStatus } from './run.ts';

export type JobTest = {
  readonly name: string;
  readonly args: JsonObject;
  /** null means the profile that the job has without a test. */
  readonly profile: SecurityProfile | null;
  readonly expect: Expectation;
};

/** What to expect of the run. A member that is undefined is not checked. */
export type Expectation = {
  readonly status: RunStatus;
  readonly exitCode: number | undefined;
  /** The whole result must equal this value. */
  readonly result: JsonValue | undefined;
  /** The result must have these members; it may have others. */
  readonly resultIncludes: JsonValue | undefined;
  /** Each text must occur in a line of the log. A text of the form `/pattern/` must match a line. */
  readonly log: readonly string[];
  /** The artifacts must include files with these names. */
  readonly artifacts: readonly string[];
  /** The run is cancelled if it takes longer. */
  readonly maxDurationMs: number;
};

/**
 * Parses `/pattern/` or `/pattern/i`. Returns undefined for plain text.
 * @throws SyntaxError
 */
export function patternOf(text: string): RegExp | undefined {
  const [, source, flags] = /^\/(.+)\/([imsu]*)$/s.exec(text) ?? [];
  return source === undefined ? undefined : new RegExp(source, flags);
}
