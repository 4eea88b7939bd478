// A trigger of config.yaml: when a run of another job ends, the job starts (ADR 0069).

export const triggerEnds = ['success', 'failed', 'cancelled'] as const;
type TriggerEnd = (typeof triggerEnds)[number];

export type JobTrigger = {
  /** Made from its content, not from its position. */
  readonly id: string;
  /** The id or an alias of the job whose runs it follows. */
  readonly job: string;
  readonly on: readonly TriggerEnd[];
  /** CEL; null means that every such end starts a run. */
  readonly condition: string | null;
  /** CEL for each argument. */
  readonly args: Readonly<Record<string, string>>;
};

/** What became of an end that a trigger waits for. */
export const triggerResults = ['started', 'refused'] as const;
export type TriggerResult = (typeof triggerResults)[number];

/** At most this many triggers may lead to a run, so that a circle ends. */
export const longestChain = 8;
