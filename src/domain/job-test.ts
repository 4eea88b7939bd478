// A test that a job brings along: what it is run with, and what is to come of it.

import type { JsonObject, JsonValue, SecurityProfile } from './job.ts';
import type { RunStatus } from './run.ts';

export type JobTest = {
  readonly name: string;
  readonly args: JsonObject;
  /** null: as it would run. */
  readonly profile: SecurityProfile | null;
  readonly expect: Expectation;
};

/** What is undefined is not looked at. */
export type Expectation = {
  readonly status: RunStatus;
  readonly exitCode: number | undefined;
  /** All of it. */
  readonly result: JsonValue | undefined;
  /** Members that it has among others. */
  readonly resultIncludes: JsonValue | undefined;
  /** Each a part of a line, or a `/pattern/` that a line matches. */
  readonly log: readonly string[];
  /** Names that are among those of the artifacts. */
  readonly artifacts: readonly string[];
  /** Longer, and it is cancelled. */
  readonly maxDurationMs: number;
};

/** `/pattern/` or `/pattern/i` → the expression; undefined for a plain text. @throws SyntaxError */
export function patternOf(text: string): RegExp | undefined {
  const [, source, flags] = /^\/(.+)\/([imsu]*)$/s.exec(text) ?? [];
  return source === undefined ? undefined : new RegExp(source, flags);
}
