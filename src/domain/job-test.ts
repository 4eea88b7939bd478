// A test that comes with a job: how to run it, and what to expect.

import type { JsonObject, JsonValue, SecurityProfile } from './job.ts';
import type { RunStatus } from './run.ts';

export type JobTest = {
  readonly name: string;
  readonly args: JsonObject;
  /** null means the profile that the job would have anyway. */
  readonly profile: SecurityProfile | null;
  readonly expect: Expectation;
};

/** Members that are undefined are not checked. */
export type Expectation = {
  readonly status: RunStatus;
  readonly exitCode: number | undefined;
  /** The whole result. */
  readonly result: JsonValue | undefined;
  /** Members that the result must have, among others. */
  readonly resultIncludes: JsonValue | undefined;
  /** Texts that the log must contain: each a part of a line, or a `/pattern/` that matches a line. */
  readonly log: readonly string[];
  /** Names that must be among the artifacts. */
  readonly artifacts: readonly string[];
  /** A run that takes longer is cancelled. */
  readonly maxDurationMs: number;
};

/** Parses `/pattern/` or `/pattern/i`; undefined for plain text. @throws SyntaxError */
export function patternOf(text: string): RegExp | undefined {
  const [, source, flags] = /^\/(.+)\/([imsu]*)$/s.exec(text) ?? [];
  return source === undefined ? undefined : new RegExp(source, flags);
}
