// What a test of a job expected and what came of its run: what differs, in words.

import { isDeepStrictEqual } from 'node:util';
import { durationWords } from '../../client/took.ts';
import type { JsonValue } from '../../domain/job.ts';
import { type Expectation, patternOf } from '../../domain/job-test.ts';

export type Came = {
  readonly status: string;
  readonly exitCode: number | null;
  /** What flwd says of a failure. */
  readonly why: string | null;
  /** undefined: it gave none. */
  readonly result: unknown;
  readonly artifacts: readonly string[];
  readonly durationMs: number;
  /** It was cancelled for that. */
  readonly isOverdue: boolean;
  /** What was expected of the log and is in no line of it. */
  readonly missingInLog: readonly string[];
};

/** Nothing: all is as it was expected. */
export function differences(expect: Expectation, came: Came): string[] {
  const isTooLong = came.isOverdue || came.durationMs > expect.maxDurationMs;
  const took = came.isOverdue ? 'was cancelled then' : `took ${durationWords(came.durationMs)}`;
  const tooLong = `max_duration: expected ${durationWords(expect.maxDurationMs)} at most, ${took}`;
  const why = came.why === null ? '' : `: ${came.why}`;
  return [
    ...(isTooLong ? [tooLong] : []),
    ...(expect.status === came.status ? [] : [`status: expected ${expect.status}, came ${came.status}${why}`]),
    ...(expect.exitCode === undefined || expect.exitCode === came.exitCode
      ? []
      : [`exit_code: expected ${expect.exitCode}, came ${came.exitCode ?? 'none'}`]),
    ...(expect.result === undefined || isDeepStrictEqual(expect.result, came.result)
      ? []
      : [`result: expected ${show(expect.result)}, came ${show(came.result)}`]),
    ...(expect.resultIncludes === undefined || includes(came.result, expect.resultIncludes)
      ? []
      : [`result_includes: expected ${show(expect.resultIncludes)} in it, came ${show(came.result)}`]),
    ...came.missingInLog.map((text) => `log: expected ${text}, came in no line`),
    ...expect.artifacts
      .filter((name) => !came.artifacts.includes(name))
      .map((name) => `artifacts: expected ${name}, came ${came.artifacts.join(', ') || 'none'}`),
  ];
}

function show(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value);
}

/** Members of an object among others, at any depth; a list has all its items. */
function includes(value: unknown, part: JsonValue): boolean {
  if (Array.isArray(part))
    return Array.isArray(value) && value.length === part.length && part.every((item, at) => includes(value[at], item));
  if (typeof part !== 'object' || part === null) return isDeepStrictEqual(value, part);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const members = new Map<string, unknown>(Object.entries(value));
  return Object.entries(part).every(([name, member]) => members.has(name) && includes(members.get(name), member));
}

export type LogWatch = {
  readonly see: (line: string) => void;
  readonly missing: () => string[];
  readonly lastLines: () => readonly string[];
};

const lastLines = 20;

/** Goes along with the lines of a log, however many there are. */
export function watchLog(wanted: readonly string[]): LogWatch {
  const left = new Map(wanted.map((text) => [text, patternOf(text)]));
  const last: string[] = [];
  return {
    see(line) {
      for (const [text, pattern] of left) if (pattern ? pattern.test(line) : line.includes(text)) left.delete(text);
      last.push(line);
      if (last.length > lastLines) last.shift();
    },
    missing: () => [...left.keys()],
    lastLines: () => last,
  };
}
