// A trigger of config.yaml. It starts the job when a run of another job ends (ADR 0069), when a file appears, or when a
// check finds something (ADR 0075).

import type { CommandAction } from '../command-action.ts';

export const triggerEnds = ['success', 'failed', 'cancelled'] as const;
type TriggerEnd = (typeof triggerEnds)[number];

export const triggerKinds = ['job', 'files', 'check'] as const;

type Mapping = {
  /** Made from the trigger's content, so it does not depend on the trigger's position. */
  readonly id: string;
  /**
   * CEL that decides whether an occurrence starts a run. An occurrence is the end of a run, a file, or what a check
   * found. null means that every occurrence starts a run.
   */
  readonly condition: string | null;
  /** CEL for each argument. */
  readonly args: Readonly<Record<string, string>>;
};

export type EndTrigger = Mapping & {
  readonly kind: 'job';
  /** The id or an alias of the job that the trigger follows. */
  readonly job: string;
  readonly on: readonly TriggerEnd[];
};

export type FilesTrigger = Mapping & {
  readonly kind: 'files';
  /** The path as the author wrote it. A relative path starts at the root of the source. */
  readonly folder: string;
  /** A pattern that the names of the files must match. */
  readonly match: string;
  /** How long a file must stay unchanged before it counts as complete. */
  readonly settleMs: number;
};

export type CheckTrigger = Mapping & {
  readonly kind: 'check';
  readonly action: CommandAction;
  readonly everyMs: number;
};

export type JobTrigger = EndTrigger | FilesTrigger | CheckTrigger;

/** The result of an occurrence: a run was started, or the start was refused. */
export const triggerResults = ['started', 'refused'] as const;
export type TriggerResult = (typeof triggerResults)[number];

/**
 * The key of the result that says why a trigger cannot start anything at present. The same text is the `problem` of
 * this result.
 */
export const triggerFailing = 'trigger-failing';

/**
 * The most triggers that may lead to a run, one after the other. Without this limit, triggers that start each other
 * would never stop.
 */
export const longestChain = 8;

/** The most runs that may follow from one run through triggers, at any distance. */
export const mostRunsOfChain = 10_000;
