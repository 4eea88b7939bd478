// The parts of the API's answers that tests read, written down independently of the program's own schemas.

export type RunAnswer = {
  readonly run_id: string;
  readonly job_id: string;
  readonly status: string;
  readonly reason: string | null;
  readonly waiting: string | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly args: Readonly<Record<string, unknown>>;
  readonly result: { readonly value: ResultValue } | null;
  readonly exit_code: number | null;
  readonly error: { readonly message: string; readonly step_id?: string } | null;
  readonly cancel_requested_at: string | null;
  readonly cancel_requested_by: string | null;
  readonly termination: { readonly signals: readonly { readonly signal: string }[]; readonly remaining: number } | null;
};

/** Any result; the tests read members of objects. */
type ResultValue = { readonly [member: string]: unknown };

export type ArtifactAnswer = {
  readonly id: string;
  readonly run_id: string;
  readonly name: string;
  readonly path: string;
  readonly sha256: string;
};

export type LogAnswer = {
  readonly logs: readonly LogLineAnswer[];
  readonly next_cursor: string | null;
};

export type LogLineAnswer = {
  readonly seq: number;
  readonly timestamp: string;
  readonly level: string;
  readonly message: string;
  readonly step_id: string;
  readonly stream: string;
  readonly attempt: number;
};

export type ProblemAnswer = {
  readonly type: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly message: string; readonly keyword: string }[];
};
