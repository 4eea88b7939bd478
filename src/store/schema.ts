// The tables as Kysely sees them. Times are integers in milliseconds (`_us`: microseconds), booleans are 0 or 1, and
// values that are only shown are JSON in text columns.

import type { AuditAction, AuditObjectKind, AuditResult } from '../domain/audit.ts';
import type { JournalEntry } from '../domain/event.ts';
import type { CatchUp } from '../domain/job.ts';
import type { NotificationStatus, NotifyEvent } from '../domain/notification.ts';
import type { FailureState } from '../domain/outcome/failure.ts';
import type { LateKind } from '../domain/outcome/late.ts';
import type { RunReason, RunStatus, StepKind, StepReason, StepStatus, Trigger } from '../domain/run.ts';
import type { Backfill } from '../domain/schedule.ts';
import type { TriggerResult } from '../domain/trigger/job-trigger.ts';
import type { DeliveryResult, WebhookScheme } from '../domain/trigger/webhook.ts';

export type Schema = {
  runs: RunRow;
  owners: OwnerRow;
  run_plans: RunPlanRow;
  run_labels: RunLabelRow;
  run_counts: RunCountRow;
  run_hours: RunHourRow;
  run_days: RunDayRow;
  run_label_counts: RunLabelCountRow;
  run_stats: RunStatsRow;
  run_times: RunTimesRow;
  steps: StepRow;
  events: EventRow;
  sequences: SequenceRow;
  idempotency: IdempotencyRow;
  artifacts: ArtifactRow;
  artifact_counts: ArtifactCountRow;
  log_segments: LogSegmentRow;
  schedules: ScheduleRow;
  instance: InstanceRow;
  schedule_states: ScheduleStateRow;
  heartbeats: HeartbeatRow;
  backfills: BackfillRow;
  schedule_pauses: SchedulePauseRow;
  webhooks: WebhookRow;
  delivery_keys: DeliveryKeyRow;
  trigger_results: TriggerResultRow;
  watched_folders: WatchedFolderRow;
  watched_files: WatchedFileRow;
  deliveries: DeliveryRow;
  failures: FailureRow;
  notices: NotificationRow;
  failing_jobs: FailingJobRow;
  late: LateRow;
  expecting_jobs: ExpectingJobRow;
  expired_logs: ExpiredLogRow;
  secrets: SecretRow;
  tokens: TokenRow;
  kv: KvRow;
  kv_totals: KvTotalRow;
  audit: AuditRow;
  audit_counts: AuditCountRow;
};

/** Columns for lists and moves come first: SQLite reads a row from its start up to the last column it needs. */
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
  /** RunDetails: the parts of a run that never change and are only shown. */
  details: string;
  args: string;
  result: string | null;
  /** When `timeouts.queue` ends or, after the start, `timeouts.run`; null without such a timeout. */
  deadline_at: number | null;
  /** The value of `concurrency.key`. */
  concurrency_key: string | null;
  concurrency_limit: number | null;
  /** The server that drives the run, or did; null before the start (ADR 0039). */
  owner: string | null;
  /** Grows whenever the run is claimed or taken over; 0 before the start. */
  epoch: number;
};

/** A server that may drive runs. `lease` changes with each renewal. `host` and `renewed_at` are only informative. */
export type OwnerRow = { id: string; host: string; lease: string; renewed_at: number };

/**
 * Separate from `runs`, whose rows are rewritten with every move. `notify` is the part of the plan for the run's end.
 */
export type RunPlanRow = { run_id: string; plan: string; sealed: string | null; notify: string | null };

/**
 * Has copies of the run's filter columns, so that a list by label need not read the runs. `status` is null until the
 * end.
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

/** Counters of runs, updated with every change, so that lists need not count their total. */
export type RunCountRow = { status: RunStatus; tenant: string; job_id: string; source: string; count: number };

/**
 * Counters of ended runs by the hour of their creation, which begins at `hour`. `label` is `key=value`, or the key
 * alone for any value, or empty for all runs.
 */
export type RunHourRow = {
  label: string;
  hour: number;
  tenant: string;
  source: string;
  status: RunStatus;
  count: number;
};

/** The same by day (UTC), which begins at `day`. */
export type RunDayRow = Omit<RunHourRow, 'hour'> & { day: number };

/** Counters of ended runs by job and label, for all times. */
export type RunLabelCountRow = {
  label: string;
  tenant: string;
  job_id: string;
  source: string;
  status: RunStatus;
  count: number;
};

/**
 * Counters of runs that ended in the hour or day (UTC) that begins at `at`. They stay when retention removes the runs.
 * A row without a job counts the runs of all jobs, except sub-runs.
 */
export type RunStatsRow = {
  span: 'hour' | 'day';
  job_id: string;
  at: number;
  tenant: string;
  success: number;
  failed: number;
  cancelled: number;
};

/**
 * How many of these runs waited this long for their start, and how many of those that succeeded took this long. The
 * time in which an approval waited for its answer does not count. The buckets are those of domain/duration-buckets.ts.
 */
export type RunTimesRow = Pick<RunStatsRow, 'span' | 'job_id' | 'at' | 'tenant'> & {
  measure: 'took' | 'waited';
  bucket: number;
  count: number;
};

/** An attempt of a step. The row never changes once the attempt has ended (ADR 0014). */
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
  /** The position of the step in the run, the same for all attempts. Instances come after the steps of the job. */
  n: number;
  kind: StepKind;
  instance_of: string | null;
  /** The values of this instance: `{"matrix": {…}}` or `{"item": …}`. */
  item: string | null;
  /** Grows whenever a process resumes the attempt; 0 before its start. */
  epoch: number;
  worker: string | null;
  not_before: number | null;
  deadline_at: number | null;
  child_run_id: string | null;
  message: string | null;
  approval: string | null;
  termination: string | null;
  /** Outputs that hold a secret, encrypted, for the steps that follow. */
  sealed: string | null;
  hint: string | null;
};

/** The journal. An output entry owns the ids `id` to `id + count - 1`, and `first_seq` is its first line (ADR 0004). */
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
 * `events`: the next event id. It is stored apart from the rows, so that deleting the newest row never frees its id.
 * `events.kept`: the first id from which on no event is missing. No row before anything was removed.
 * `notices`: the next event to check for notifications.
 * `triggers`: the next event to check for triggers. No row while there are no triggers.
 * `audit.kept`: the first audit entry that retention must keep. No row before retention has removed any.
 */
export type SequenceRow = {
  name: 'events' | 'events.kept' | 'notices' | 'audit.kept' | 'kv' | 'triggers';
  next_id: number;
};

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

/** `timezone`: an IANA name. `boot`: JSON of SeenBoot. `traces`, `logs`: JSON of ExportState. */
type InstanceRow = { name: 'timezone' | 'boot' | 'traces' | 'logs'; value: string };

export type ScheduleRow = {
  id: string;
  name: string | null;
  job_id: string;
  tenant: string;
  /** Empty for a schedule that fires once. */
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
  /** The single time of the schedule. */
  at: number | null;
  /** JSON of its calendar and its exceptions; null when it has neither. */
  days: string | null;
  /** JSON of Binding; null when nothing limits its runs. */
  bound_to: string | null;
  /** JSON of StoredText. */
  heartbeat: string | null;
};

/** `address` is JSON of StoredText. `called_at` is the last call that worked. */
export type HeartbeatRow = {
  schedule_id: string;
  tenant: string;
  address: string;
  run_id: string;
  success_at: number;
  attempts: number;
  next_at: number | null;
  called_at: number | null;
  failed_at: number | null;
  last_error: string | null;
};

/**
 * `times` is JSON: the nominal times that were to get a run, empty once the backfill has ended. `cursor` is how many of
 * them were dealt with. `bound_to` is JSON of Binding.
 */
export type BackfillRow = {
  id: string;
  schedule_id: string;
  job_id: string;
  tenant: string;
  from_at: number;
  until_at: number;
  at_once: number;
  status: Backfill['status'];
  times: string;
  cursor: number;
  in_span: number;
  left_out: number;
  started: number;
  failed_runs: number | null;
  created_at: number;
  created_by: string;
  bound_to: string | null;
  account: string;
  finished_at: number | null;
  problem: string | null;
  detail: string | null;
};

/** A tenant whose schedules are all paused. `*` stands for every tenant. */
type SchedulePauseRow = { tenant: string; paused_at: number; paused_by: string };

/** `last_fire` and `last_error` are JSON of Fire and FireError. */
export type ScheduleStateRow = {
  schedule_id: string;
  since_at: number;
  settled_at: number | null;
  /** Runs may have been started up to here, later than `settled_at`, because the clock was set back. */
  fired_until: number | null;
  idle_since_at: number | null;
  /** null if nobody has held or released the schedule. Then its config.yaml decides. */
  held: 0 | 1 | null;
  not_before: number | null;
  last_fire: string | null;
  last_error: string | null;
};

/**
 * What became of something that a trigger waits for. `key` is the id of the run that has ended, `file STAMP PATH`,
 * `check TIME`, or `trigger-failing` as long as it starts nothing.
 */
export type TriggerResultRow = {
  trigger_id: string;
  key: string;
  tenant: string;
  at: number;
  result: TriggerResult;
  run_id: string | null;
  problem: string | null;
  detail: string | null;
};

/** A folder that a trigger follows. `looked_at` is at most an hour older than when it was read last. */
type WatchedFolderRow = { id: string; looked_at: number };

/** A version of a file that a trigger has dealt with. `gone_at` is null while the file is there. */
type WatchedFileRow = { folder_id: string; name: string; stamp: string; gone_at: number | null };

/** A webhook that was made at run time. `token_hash` is the SHA-256 of the token in its address, `terms` is JSON. */
export type WebhookRow = {
  id: string;
  name: string;
  job_id: string;
  tenant: string;
  token_hash: string;
  scheme: WebhookScheme;
  terms: string;
  per_minute: number | null;
  created_at: number;
  created_by: string;
  /** JSON of Binding; null when nothing limits its runs. */
  bound_to: string | null;
};

/**
 * A key by which a delivery that started a run is recognised. A second delivery with the key is a duplicate (ADR 0066).
 */
type DeliveryKeyRow = {
  webhook_id: string;
  key: string;
  run_id: string;
  expires_at: number;
};

/**
 * `args` is JSON with secrets redacted, or null before they are computed. `repeats` counts its duplicates. Rows
 * without a run differ in their webhook, body or result.
 */
export type DeliveryRow = {
  id: string;
  webhook_id: string;
  tenant: string;
  at: number;
  result: DeliveryResult;
  scheme: WebhookScheme;
  body_hash: string;
  event: string | null;
  sender_id: string | null;
  run_id: string | null;
  args: string | null;
  has_secrets: 0 | 1;
  problem: string | null;
  detail: string | null;
  repeats: number;
};

/** `last_at` and `last_run` are those of the last failure, and so is `sample`. */
export type FailureRow = {
  tenant: string;
  job_id: string;
  fingerprint: string;
  reason: RunReason;
  sample: string;
  state: FailureState;
  count: number;
  first_run: string;
  first_at: number;
  /** null in rows of an earlier version of flwd, which did not record it. */
  first_revision: string | null;
  last_run: string;
  last_at: number;
};

/**
 * For the `n`th rule of a run. `next_at` is null once no further attempt follows. `origin` is `channel:` and the name
 * for a channel, whose `webhook` is empty because the channel knows the address. `failures` counts the job's failures
 * in a row: for `fixed` those before it, for others with this one. `digest` is 1 if the channel lists it with others.
 * `taken_by`, as JSON, are the addresses that have a mail that was refused for others. `late` is JSON of LateNotice;
 * without a run, the notification is about a job.
 */
export type NotificationRow = {
  id: string;
  run_id: string | null;
  n: number;
  status: NotificationStatus;
  origin: string;
  attempts: number;
  next_at: number | null;
  created_at: number;
  finished_at: number | null;
  last_error: string | null;
  webhook: string;
  event: NotifyEvent;
  channel: string | null;
  step_id: string | null;
  event_id: number;
  failures: number;
  digest: number | null;
  taken_by: string | null;
  late: string | null;
};

/** `told` is JSON of when each receiver was told; null if nobody has made notifications of it. */
export type LateRow = {
  tenant: string;
  job_id: string;
  kind: LateKind;
  key: string;
  at: number;
  run_id: string | null;
  schedule_id: string | null;
  detail: string;
  over_at: number | null;
  told: string | null;
};

/** A job whose successes are expected, with JSON of what is expected, and since when. */
type ExpectingJobRow = { job_id: string; terms: string; since_at: number };

/** A job whose last run with rules failed: `run_id`. `told` says when each channel last heard of it, as JSON. */
type FailingJobRow = { tenant: string; job_id: string; run_id: string; failures: number; told: string };

/** A run whose log retention has removed. */
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

/** `hash` is the SHA-256 of the secret, in hexadecimal. `scopes` is JSON. */
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
  /** JSON of TokenLimits; null when nothing limits the token. */
  limits: string | null;
};

/**
 * A version is never used twice, not even after the key was deleted. `size_bytes` counts key and value. `request` names
 * the request of a run that last wrote the value.
 */
export type KvRow = {
  tenant: string;
  namespace: string;
  key: string;
  version: number;
  size_bytes: number;
  updated_at: number;
  updated_by: string;
  expires_at: number | null;
  request: string | null;
  value: Uint8Array;
};

/** Expired keys count until retention removes them. The row without a tenant is the total. */
type KvTotalRow = { tenant: string; namespace: string; keys: number; size_bytes: number };

/** Ids have no gaps, and `at` never decreases. `hash` covers the previous hash and this row (audit-chain.ts). */
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

/** Counters of audit entries. */
export type AuditCountRow = { tenant: string; actor: string; action: AuditAction; result: AuditResult; count: number };
