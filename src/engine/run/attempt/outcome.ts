// Decides how an attempt has ended, and how its step then ends. A failing job is data, never an exception.

import { join } from 'node:path';
import type { JsonValue } from '../../../domain/job.ts';
import { outOfMemoryMessage, type Resources } from '../../../domain/resources.ts';
import type { StepReason, Termination } from '../../../domain/run.ts';
import { readOutputs } from '../../../exec/collect/outputs.ts';
import { readResult } from '../../../exec/collect/results.ts';
import type { AttemptEnd } from '../../../exec/executor.ts';
import type { Redactor } from '../../../exec/redact/redact.ts';
import { type ErrorLines, exitMessage } from '../failure/error-lines.ts';

/** What ends an attempt early, and how its step then ends. */
export type Interruption =
  | { readonly status: 'cancelled'; readonly reason: null; readonly message: null }
  | { readonly status: 'failed'; readonly reason: StepReason; readonly message: string; readonly hint?: string };

export const cancelled: Interruption = { status: 'cancelled', reason: null, message: null };

export type Outcome = {
  readonly status: 'success' | 'failed' | 'cancelled';
  readonly reason: StepReason | null;
  readonly message: string | null;
  /** See `RunError.hint`. */
  readonly hint?: string;
  readonly exitCode: number | null;
  readonly result: { readonly value: JsonValue } | null;
  /** Redacted, as people see them. `openOutputs` still contain the secrets. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly openOutputs: Readonly<Record<string, string>>;
  readonly termination: Termination | null;
  /** When the script ended, if that was before this process resumed it. */
  readonly endedBeforeAtMs?: number | undefined;
};

/** The outcome of a step for which nothing was started. */
export const nothingDone = {
  exitCode: null,
  result: null,
  outputs: {},
  openOutputs: {},
  termination: null,
} as const;

export function failed(reason: StepReason, message: string, exitCode: number | null = null) {
  return { status: 'failed', reason, message, exitCode } as const;
}

type Found = Pick<Outcome, 'result' | 'outputs' | 'openOutputs'> & { readonly invalid: string | null };

/** What a script left behind. Read it after its last process is gone. */
export function readBack(attemptDir: string, redactor: Redactor): Found {
  const outDir = join(attemptDir, 'out');
  const result = readResult(outDir);
  const outputs = readOutputs(outDir);
  const invalid = [result, outputs].find((part) => part.kind === 'invalid');
  const openOutputs = outputs.kind === 'outputs' ? outputs.outputs : {};
  return {
    result: result.kind === 'value' ? { value: redactor.json(result.value) } : null,
    outputs: redactor.json(openOutputs),
    openOutputs,
    invalid: invalid ? redactor.text(invalid.message) : null,
  };
}

export function outcomeOf(
  end: AttemptEnd,
  { invalid, ...found }: Found,
  o: {
    readonly interruption: Interruption | undefined;
    /** The last lines that the script printed on standard error. */
    readonly lines: ErrorLines;
    readonly redactor: Redactor;
    readonly resources: Resources;
    readonly termination: Termination | null;
    readonly endedBeforeAtMs?: number | undefined;
  },
): Outcome {
  const given = { ...found, termination: o.termination, endedBeforeAtMs: o.endedBeforeAtMs };
  const exitCode = end.kind === 'exited' ? end.code : null;
  const { interruption, termination } = o;
  if (interruption && termination && termination.remaining > 0) {
    return { ...given, ...failed('lost', `${termination.remaining} of its processes could not be ended`) };
  }
  // A script may catch the signal and exit with any code, but it still ended because of the interruption.
  if (interruption && end.kind !== 'lost') return { ...given, exitCode, ...interruption };
  if (end.kind === 'not-started') return { ...given, ...failed('start_failed', o.redactor.text(end.message)) };
  if (end.kind === 'lost') return { ...given, ...failed('lost', end.message ?? lostMessage) };
  if (end.outOfMemory) return { ...given, ...failed('out_of_memory', outOfMemoryMessage(o.resources), exitCode) };
  if (end.kind === 'signalled') return { ...given, ...failed('signal', `ended by signal ${end.signal}`) };
  if (end.code !== 0) return { ...given, ...failed('exit', exitMessage(end.code, o.lines), end.code) };
  if (invalid !== null) return { ...given, ...failed('invalid_result', invalid, 0) };
  return { ...given, status: 'success', reason: null, message: null, exitCode: 0 };
}

const lostMessage = 'the script’s processes ended without a trace: the machine stopped, or something killed them';
