// The evidence from which a failed attempt is explained.

import type { JobDefinition, JsonObject } from '../../../domain/job.ts';
import type { Isolation, RunPlan, StepReason } from '../../../domain/run.ts';
import type { ErrorLines } from './error-lines.ts';

export type FailedAttempt = {
  readonly reason: StepReason;
  /** The message as the run shows it. */
  readonly message: string;
  readonly exitCode: number | null;
  readonly lines: ErrorLines;
  /** Program and arguments of the step. */
  readonly command: readonly string[];
  /** The arguments of the run. A secret is `[redacted]`. */
  readonly args: JsonObject;
  readonly plan: Pick<RunPlan, 'profile' | 'read' | 'write' | 'resources'> & {
    readonly job: Pick<JobDefinition, 'argspec' | 'secretArgs' | 'composition' | 'onLost'>;
  };
  readonly isolation: Isolation;
  /** Whether a file with this relative path lies beside config.yaml. */
  readonly isBesideConfig: (path: string) => boolean;
  /** The first line of the file with this relative path beside config.yaml; empty if it cannot be read. */
  readonly firstLineOf: (path: string) => string;
  /** What the disk of the runs lacks, and how to fix that; null if it has room. */
  readonly lackOfRoom: string | null;
};

/** `hint` returns undefined when it has nothing to say about the line. */
export type LineRule = {
  readonly says: RegExp;
  readonly hint: (match: RegExpExecArray, failed: FailedAttempt) => string | undefined;
};
