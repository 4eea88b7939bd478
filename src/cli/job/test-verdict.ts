// Compares the run of a job's test with what the test expects, and describes the differences.

import { isDeepStrictEqual } from 'node:util';
import { spanWords } from '../../client/took.ts';
import type { JsonValue } from '../../domain/job.ts';
import { type Expectation, patternOf } from '../../domain/job-test.ts';
import { formatDuration } from '../../lib/units.ts';

export type Actual = {
  readonly status: string;
  readonly exitCode: number | null;
  /** The error, if the run failed. */
  readonly error: { readonly message: string; readonly hint?: string } | null;
  /** The result of the run; undefined if it returned no result. */
  readonly result: unknown;
  readonly artifacts: readonly string[];
  readonly durationMs: number;
  /** The run was cancelled, because it took longer than the test allows. */
  readonly isOverdue: boolean;
  /** Expected texts that no line of the log contains. */
  readonly missingInLog: readonly string[];
};

/** Describes how the run differs from what the test expects; empty if it does not differ. */
export function differences(expect: Expectation, actual: Actual): string[] {
  const isTooLong = actual.isOverdue || actual.durationMs > expect.maxDurationMs;
  const took = actual.isOverdue ? 'was cancelled then' : `took ${spanWords(actual.durationMs)}`;
  const tooLong = `max_duration: expected at most ${formatDuration(expect.maxDurationMs)}, ${took}`;
  const why = actual.error === null ? '' : `: ${actual.error.message}`;
  const hint = actual.error?.hint;
  return [
    ...(isTooLong ? [tooLong] : []),
    ...(expect.status === actual.status ? [] : [`status: expected ${expect.status}, got ${actual.status}${why}`]),
    ...(expect.status === actual.status || hint === undefined ? [] : [`hint: ${hint}`]),
    ...(expect.exitCode === undefined || expect.exitCode === actual.exitCode
      ? []
      : [`exit_code: expected ${expect.exitCode}, got ${actual.exitCode ?? 'none'}`]),
    ...(expect.result === undefined || isDeepStrictEqual(expect.result, actual.result)
      ? []
      : [`result: expected ${show(expect.result)}, got ${show(actual.result)}`]),
    ...(expect.resultIncludes === undefined || includes(actual.result, expect.resultIncludes)
      ? []
      : [`result_includes: expected a result with ${show(expect.resultIncludes)}, got ${show(actual.result)}`]),
    ...actual.missingInLog.map((text) => `log: expected ${text}, which no line contains`),
    ...expect.artifacts
      .filter((name) => !actual.artifacts.includes(name))
      .map((name) => `artifacts: expected ${name}, got ${actual.artifacts.join(', ') || 'none'}`),
  ];
}

function show(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value);
}

/** An object may have more members than the test expects, at any depth. A list must have exactly the expected items. */
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

/** Looks for texts in a log line by line, without keeping the log. */
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
