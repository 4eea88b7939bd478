// A trigger of config.yaml: the job starts when a run of another job ends (ADR 0069), when a file appears, or when a
// check finds something (ADR 0075).

import type { CommandAction } from '../command-action.ts';

export const triggerEnds = ['success', 'failed', 'cancelled'] as const;
type TriggerEnd = (typeof triggerEnds)[number];

export const triggerKinds = ['job', 'files', 'check'] as const;

type Mapping = {
  /** Made from the trigger's content, not from its position. */
  readonly id: string;
  /** CEL; null means that everything it follows starts a run. */
  readonly condition: string | null;
  /** CEL for each argument. */
  readonly args: Readonly<Record<string, string>>;
};

export type EndTrigger = Mapping & {
  readonly kind: 'job';
  /** The id or an alias of the job whose runs it follows. */
  readonly job: string;
  readonly on: readonly TriggerEnd[];
};

export type FilesTrigger = Mapping & {
  readonly kind: 'files';
  /** As the author wrote it. A relative path is below the folder of the source. */
  readonly folder: string;
  /** A pattern for names. */
  readonly match: string;
  /** How long a file must stay the same. */
  readonly settleMs: number;
};

export type CheckTrigger = Mapping & {
  readonly kind: 'check';
  readonly action: CommandAction;
  readonly everyMs: number;
};

export type JobTrigger = EndTrigger | FilesTrigger | CheckTrigger;

/** What became of something that a trigger waits for. */
export const triggerResults = ['started', 'refused'] as const;
export type TriggerResult = (typeof triggerResults)[number];

/** The key and the problem of the result that says why a trigger starts nothing at present. */
export const triggerFailing = 'trigger-failing';

/** At most this many triggers may lead to a run, so that triggers that start each other in a circle come to an end. */
export const longestChain = 8;
