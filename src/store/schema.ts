// The tables as Kysely sees them. Instants are integers in milliseconds (`_us`: microseconds), booleans 0 or 1, and
// what is only served is JSON in a text column.

import type { AuditAction, AuditObjectKind, AuditResult } from '../domain/audit.ts';
import type { JournalEntry } from '../domain/event.ts';
import type { CatchUp } from '../domain/job.ts';
import type { NotificationStatus } from '../domain/notification.ts';
import type { RunReason, RunStatus, StepKind, StepReason, StepStatus, Trigger } from '../domain/run.ts';

export type Schema = {
  runs: RunRow;
  owners: OwnerRow;
  run_plans: RunPlanRow;
  run_labels: RunLabelRow;
  run_counts: RunCountRow;
  run_hours: RunHourRow;
  run_days: RunDayRow;
  run_label_counts: RunLabelCountRow;
  steps: StepRow;
  events: EventRow;
  sequences: SequenceRow;
  idempotency: IdempotencyRow;
  artifacts: ArtifactRow;
  artifact_counts: ArtifactCountRow;
  log_segments: LogSegmentRow;
  schedules: ScheduleRow;
  schedule_states: ScheduleStateRow;
  notices: NotificationRow;
  expired_logs: ExpiredLogRow;
  secrets: SecretRow;
  tokens: TokenRow;
  audit: AuditRow;
  audit_counts: AuditCountRow;
};

/** What lists and moves need comes first: SQLite reads a row from its start and stops at the last column asked for. */
export type RunRow = {
  id: string;
  job_id: string;
  tenant: string;
  source: string;
  status: RunStatus;
  reason: RunReason | null;
  waiting: string | null;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
  exit_code: number | null;
  attempt: number;
  priority: number;
  /** Grows with every change of the row or of its steps. */
  version: number;
  queue_ms: number | null;
  trigger: Trigger['type'];
  created_by: string;
  worker: string | null;
  cancel_requested_at: number | null;
  labels: string;
  progress: string | null;
  error: string | null;
  termination: string | null;
  left_behind: string | null;
  /** RunDetails: what a run is born with and only shows. */
  details: string;
  args: string;
  result: string | null;
  /** When `timeouts.queue` is over, and from the start on `timeouts.run`; null where there is none. */
  deadline_at: number | null;
  /** The value of `concurrency.key`. */
  concurrency_key: string | null;
  concurrency_limit: number | null;
  /** Which server drives it, or did; null before the start (ADR 0039). */
  owner: string | null;
  /** Grows whenever it is claimed or taken over; 0 before the start. */
  epoch: number;
};

/** A server that may drive runs. `lease` is a new word at each renewal; `host` and `renewed_at` are for people. */
export type OwnerRow = { id: string; host: string; lease: string; renewed_at: number };

/**
 * Apart from `runs`, whose rows are written anew with every move. `notify` is of the plan: what is asked at the run's
 * end.
 */
export type RunPlanRow = { run_id: string; plan: string; sealed: string | null; notify: string | null };

/**
 * What a list filters by is the run's, so a list by label needs no look at the runs. `status` is null until the run has
 * ended.
 */
type RunLabelRow = {
  run_id: string;
  key: string;
  value: string;
  created_at: number;
  tenant: string;
  job_id: string;
  source: string;
  status: RunStatus | null;
};

/** How many runs there are of each kind, kept with every change, so that a list's total is not counted anew. */
export type RunCountRow = { status: RunStatus; tenant: string; job_id: string; source: string; count: number };

/**
 * How many of the runs that were created in the hour beginning at `hour` have ended in which way. `label` is
 * `key=value`, the key alone for any value, and empty for all runs.
 */
export type RunHourRow = {
  label: string;
  hour: number;
  tenant: string;
  source: string;
  status: RunStatus;
  count: number;
};

/** The same for the day (UTC) beginning at `day`. */
export type RunDayRow = Omit<RunHourRow, 'hour'> & { day: number };

/** The same of a job's runs, whenever they were created; only with a label. */
export type RunLabelCountRow = {
  label: string;
  tenant: string;
  job_id: string;
  source: string;
  status: RunStatus;
  count: number;
};

/** One row for each attempt of a step, which never changes once it has ended (ADR 0014). */
export type StepRow = {
  run_id: string;
  step_id: string;
  attempt: number;
  name: string;
  status: StepStatus;
  reason: StepReason | null;
  started_at: number | null;
  finished_at: number | null;
  exit_code: number | null;
  needs: string;
  outputs: string;
  /** Its place in the run, the same for all attempts; instances come behind the job's own steps. */
  n: number;
  kind: StepKind;
  instance_of: string | null;
  /** What makes it this instance: `{"matrix": {…}}` or `{"item": …}`. */
  item: string | null;
  /** Raised by whoever takes the attempt up; 0 before its start. */
  epoch: number;
  worker: string | null;
  not_before: number | null;
  deadline_at: number | null;
  child_run_id: string | null;
  message: string | null;
  approval: string | null;
  termination: string | null;
  /** Outputs that hold a secret, encrypted: for the steps that follow. */
  sealed: string | null;
};

/** The journal. A row of output owns the ids `id … id + count - 1` and names its first line (ADR 0004). */
export type EventRow = {
  id: number;
  type: JournalEntry['type'];
  run_id: string;
  job_id: string;
  tenant: string;
  at: number;
  data: string | null;
  first_seq: number | null;
  count: number;
};

/**
 * `events`: the next id to give, kept apart from the rows so that deleting the newest of them never gives an id twice.
 * `events.kept`: the first id of which nothing is missing; no row where nothing was ever removed.
 * `notifications`: the next event to look at for notifications.
 * `audit.kept`: the first row of the audit log that retention has not given up; no row where it never did.
 */
type SequenceRow = { name: 'events' | 'events.kept' | 'notices' | 'audit.kept'; next_id: number };

type IdempotencyRow = {
  tenant: string;
  key: string;
  body_hash: string;
  run_id: string;
  created_at: number;
  answer_status: number | null;
  answer_body: string | null;
};

export type ArtifactRow = {
  id: string;
  run_id: string;
  job_id: string;
  step_id: string | null;
  tenant: string;
  name: string;
  path: string;
  media_type: string;
  size_bytes: number;
  sha256: string;
  created_at: number;
  expires_at: number | null;
};

type ArtifactCountRow = { tenant: string; job_id: string; count: number; size_bytes: number };

export type LogSegmentRow = {
  run_id: string;
  n: number;
  first_seq: number;
  last_seq: number;
  first_at_us: number;
  last_at_us: number;
  raw_bytes: number;
  stored_bytes: number;
  encoding: string;
};

export type ScheduleRow = {
  id: string;
  name: string | null;
  job_id: string;
  tenant: string;
  cron: string;
  timezone: string;
  args: string;
  catch_up: CatchUp;
  jitter_ms: number;
  enabled: 0 | 1;
  labels: string;
  created_at: number;
  updated_at: number;
  created_by: string;
};

/** `last_fire` and `last_error` are only served: JSON of Fire and FireError. */
export type ScheduleStateRow = {
  schedule_id: string;
  since_at: number;
  settled_at: number | null;
  /** Up to here a run may have been started, though `settled_at` is earlier: the clock was set back. */
  fired_until: number | null;
  idle_since_at: number | null;
  last_fire: string | null;
  last_error: string | null;
};

/** The `n`th webhook of a run that has ended. `next_at` is null once it is over. */
export type NotificationRow = {
  id: string;
  run_id: string;
  n: number;
  status: NotificationStatus;
  origin: string;
  attempts: number;
  next_at: number | null;
  created_at: number;
  finished_at: number | null;
  last_error: string | null;
  webhook: string;
};
/** A run that is kept longer than its log. */
type ExpiredLogRow = { run_id: string; at: number };

export type SecretRow = {
  tenant: string;
  name: string;
  sealed: string;
  created_at: number;
  created_by: string;
  updated_at: number;
  updated_by: string;
};

/** `hash` is the SHA-256 of the secret, in hex; `scopes` is JSON. */
export type TokenRow = {
  id: string;
  name: string;
  hash: string;
  scopes: string;
  tenant: string;
  created_at: number;
  created_by: string;
  expires_at: number | null;
  last_used_at: number | null;
  revoked_at: number | null;
};

/** Ids have no gaps, and `at` never goes back. `hash` is over the hash before and this row (audit-chain.ts). */
export type AuditRow = {
  id: number;
  at: number;
  actor: string;
  tenant: string;
  action: AuditAction;
  result: AuditResult;
  object_kind: AuditObjectKind | null;
  object_id: string | null;
  origin: string | null;
  request_id: string | null;
  reason: string | null;
  detail: string | null;
  hash: string;
};

/** How many rows of the audit log there are of each kind. */
export type AuditCountRow = { tenant: string; actor: string; action: AuditAction; result: AuditResult; count: number };
